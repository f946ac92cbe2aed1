//! The entries of `dns` and `connect_to`: hosts, ports and addresses with colons between, as in curl.

use std::net::IpAddr;

use url::{Host, Url};

/// Splits a host, in brackets if it is an IPv6 address, from what follows its colon.
pub(crate) fn split_host(text: &str) -> Option<(&str, &str)> {
    match text.find(']').filter(|_| text.starts_with('[')) {
        Some(end) => Some((&text[..=end], text[end + 1..].strip_prefix(':')?)),
        None => text.split_once(':'),
    }
}

/// The address that a host is, if it is not a name.
pub(crate) fn literal(host: &str) -> Option<IpAddr> {
    let inner = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or(host).parse().ok()
}

/// Where an entry of `connect_to` leads from; what it leaves open is empty or `None`.
pub(crate) struct Lead<'a> {
    pub host: &'a str,
    pub port: Option<u16>,
    pub to_host: &'a str,
    pub to_port: Option<u16>,
}

/// Reads a `HOST:PORT:ADDRESS[,ADDRESS]`, or says what is wrong with it.
pub(crate) fn read_dns(entry: &str) -> Result<(&str, u16, Vec<IpAddr>), String> {
    let parts = split_host(entry.trim_start_matches('+'))
        .and_then(|(host, rest)| Some((host, rest.split_once(':')?)));
    let (host, (port, addresses)) = parts.ok_or("an entry is HOST:PORT:ADDRESS[,ADDRESS]")?;
    if host != "*" {
        check_host(host)?;
    }
    let port = read_port(port)?;
    let read = |text| literal(text).ok_or_else(|| format!("{text:?} is no address"));
    let addresses = addresses.split(',').map(read).collect::<Result<_, _>>()?;
    Ok((host, port, addresses))
}

/// Reads a `HOST:PORT:CONNECT-TO-HOST:CONNECT-TO-PORT`, or says what is wrong with it.
pub(crate) fn read_connect_to(entry: &str) -> Result<Lead<'_>, String> {
    let parts = || {
        let (host, rest) = split_host(entry)?;
        let (port, rest) = rest.split_once(':')?;
        let (to_host, to_port) = split_host(rest)?;
        Some((host, port, to_host, to_port))
    };
    let (host, port, to_host, to_port) =
        parts().ok_or("an entry is HOST:PORT:CONNECT-TO-HOST:CONNECT-TO-PORT")?;
    if !host.is_empty() {
        check_host(host)?;
    }
    let read = |port: &str| match port.is_empty() {
        true => Ok(None),
        false => read_port(port).map(Some),
    };
    let (port, to_port) = (read(port)?, read(to_port)?);
    if !to_host.is_empty() {
        match Host::parse(to_host) {
            // An address may have any form here, but names are not translated.
            Ok(Host::Domain(name)) => check_name(to_host, &name)?,
            Ok(_) => {}
            Err(error) => return Err(format!("{to_host:?} is no host: {error}")),
        }
    }
    Ok(Lead {
        host,
        port,
        to_host,
        to_port,
    })
}

/// What is wrong with a proxy's URL, if anything; its scheme is known.
pub(crate) fn check_proxy(proxy: &str) -> Result<(), String> {
    let url = Url::parse(proxy).map_err(|error| error.to_string())?;
    match (url.host_str(), url.port()) {
        (None | Some(""), _) => Err("it has no host".into()),
        (_, Some(0)) => Err("port 0 can't be connected to".into()),
        _ => Ok(()),
    }
}

/// Entries are compared with hosts as URLs have them: an entry in another spelling would never match.
fn check_host(text: &str) -> Result<(), String> {
    match Host::parse(text) {
        Ok(Host::Domain(name)) => check_name(text, &name),
        Ok(address) => {
            let usual = address.to_string();
            match usual.eq_ignore_ascii_case(text) {
                true => Ok(()),
                false => Err(format!("{text} is {usual} in a URL: say that")),
            }
        }
        Err(error) => Err(format!("{text:?} is no host: {error}")),
    }
}

fn check_name(text: &str, name: &str) -> Result<(), String> {
    match () {
        () if name.contains('*') => Err("a host of * is any, and has nothing beside it".into()),
        () if !name.eq_ignore_ascii_case(text) => {
            Err(format!("{text} is {name} in a URL: say that"))
        }
        () => Ok(()),
    }
}

fn read_port(text: &str) -> Result<u16, String> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if is_number && port > 0 => Ok(port),
        _ => Err(format!("{text:?} is no port: that is 1 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_lead_somewhere() {
        for entry in [
            "a.com:80:127.0.0.1",
            "+a.com:80:127.0.0.1",
            "A.com:65535:127.0.0.1,127.0.0.2",
            "*:1:::1",
            "*:443:[::1],10.0.0.1",
            "[::1]:80:127.0.0.1",
            "127.0.0.1:80:127.0.0.2",
            "a_b.com:80:127.0.0.1",
            "xn--bcher-kva.de:80:127.0.0.1",
        ] {
            assert_eq!(read_dns(entry).err(), None, "{entry}");
        }
        for entry in [
            "::127.0.0.1:80",
            ":::",
            "a.com:80:b.com:8080",
            "a.com::b.com:",
            "[::1]:80:[::1]:81",
            "::[::1]:",
            "::0x7f.1:80",
            "::localhost:65535",
        ] {
            assert_eq!(read_connect_to(entry).err(), None, "{entry}");
        }
        for proxy in [
            "http://127.0.0.1:3128",
            "https://me:secret@proxy.test/",
            "socks5://[::1]:1080",
            "socks5h://proxy.test",
        ] {
            assert_eq!(check_proxy(proxy), Ok(()), "{proxy}");
        }
    }

    #[test]
    fn entries_that_lead_nowhere() {
        for (entry, words) in [
            ("a.com:80", "an entry is"),
            ("a.com", "an entry is"),
            ("-a.com:80", "an entry is"),
            ("a.com:80:nothost", "\"nothost\" is no address"),
            ("a.com:80:", "\"\" is no address"),
            ("a.com:80:127.0.0.1,", "\"\" is no address"),
            ("a.com:80:127.0.0.1 ", "is no address"),
            ("a.com:80:127.1", "is no address"),
            ("a.com:80:256.0.0.1", "is no address"),
            ("a.com:80:127.0.0.1:81", "is no address"),
            ("a.com:80:b.com", "is no address"),
            ("a.com:0:127.0.0.1", "\"0\" is no port"),
            ("a.com:65536:127.0.0.1", "\"65536\" is no port"),
            ("a.com:99999999999999999999:127.0.0.1", "is no port"),
            ("a.com:+80:127.0.0.1", "is no port"),
            ("a.com:-1:127.0.0.1", "is no port"),
            ("a.com:http:127.0.0.1", "is no port"),
            ("a.com::127.0.0.1", "\"\" is no port"),
            ("http://a.com:80:127.0.0.1", "is no port"),
            (":80:127.0.0.1", "is no host"),
            ("a b:80:127.0.0.1", "is no host"),
            ("*.a.com:80:127.0.0.1", "a host of *"),
            ("bücher.de:80:127.0.0.1", "is xn--bcher-kva.de in a URL"),
            ("127.1:80:127.0.0.1", "is 127.0.0.1 in a URL"),
            ("[0::1]:80:127.0.0.1", "is [::1] in a URL"),
        ] {
            let why = read_dns(entry).expect_err(entry);
            assert!(why.contains(words), "{entry}: {why}");
        }
        for (entry, words) in [
            ("a.com:80:b.com", "an entry is"),
            ("a.com:80", "an entry is"),
            ("", "an entry is"),
            ("a.com:65536:b.com:80", "\"65536\" is no port"),
            ("a.com:80:b.com:65536", "\"65536\" is no port"),
            ("a.com:80:b.com:0", "is no port"),
            ("a.com:80:b.com:80:80", "is no port"),
            ("a.com:x:b.com:80", "is no port"),
            ("::::1:80", "is no port"),
            ("::b c:80", "is no host"),
            ("::http://b.com:80", "is no port"),
            ("::bücher.de:", "is xn--bcher-kva.de in a URL"),
            ("bücher.de::b.com:", "is xn--bcher-kva.de in a URL"),
            ("*::b.com:", "a host of *"),
        ] {
            let why = read_connect_to(entry).err().expect(entry);
            assert!(why.contains(words), "{entry}: {why}");
        }
        for (proxy, words) in [
            ("http://127.0.0.1:65536", "port"),
            ("socks5://127.0.0.1:99999", "port"),
            ("http://127.0.0.1:0", "port 0"),
            ("http://", "host"),
            ("socks5://", "host"),
            ("socks5h://:1080", "host"),
            ("http://a b", "domain"),
        ] {
            let why = check_proxy(proxy).expect_err(proxy);
            assert!(why.contains(words), "{proxy}: {why}");
        }
    }
}
