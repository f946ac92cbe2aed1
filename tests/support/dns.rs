//! A small name server (RFC 1035), for the networks that tests have of their own.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// What it answers.
#[derive(Clone, Copy)]
pub enum Answer {
    /// This IPv4 address, and no IPv6 one.
    Address(Ipv4Addr),
    /// These addresses.
    Addresses(&'static [IpAddr]),
    /// The name is another one's, which has this address.
    Alias(&'static str, Ipv4Addr),
    /// The name is there, and has no address.
    Nothing,
    /// NXDOMAIN.
    NoSuchName,
    /// SERVFAIL.
    Failure,
    /// REFUSED.
    Refusal,
    /// Not a word.
    Silence,
    /// This address, after a while.
    Slow(Duration, Ipv4Addr),
    /// Bytes that are no answer.
    Noise,
    /// The answer to another question.
    Stranger,
}

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

/// A name server on 127.0.0.1, port 53, that lives as long as the process.
pub struct Dns {
    questions: Arc<AtomicUsize>,
}

impl Dns {
    /// Starts one that answers as `answer` says for a name.
    pub fn start(mut answer: impl FnMut(&str) -> Answer + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:53").expect("the port of names");
        let questions = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&questions);
        thread::spawn(move || {
            let mut packet = [0; 1500];
            while let Ok((length, peer)) = socket.recv_from(&mut packet) {
                let Some((name, kind, end)) = question(&packet[..length]) else {
                    continue;
                };
                count.fetch_add(1, Ordering::Relaxed);
                let answer = answer(&name);
                let Some(reply) = reply(&packet[..end], kind, answer) else {
                    continue;
                };
                // Who asked may have gone away.
                let Answer::Slow(pause, _) = answer else {
                    let _ = socket.send_to(&reply, peer);
                    continue;
                };
                let socket = socket.try_clone().expect("a descriptor");
                thread::spawn(move || {
                    thread::sleep(pause);
                    let _ = socket.send_to(&reply, peer);
                });
            }
        });
        Self { questions }
    }

    /// How many questions came. A look-up asks two: for IPv4 and for IPv6 addresses.
    pub fn questions(&self) -> usize {
        self.questions.load(Ordering::Relaxed)
    }
}

/// The name and kind that a packet asks for, and where the question ends.
fn question(packet: &[u8]) -> Option<(String, u16, usize)> {
    let mut labels = Vec::new();
    let mut at = HEAD;
    loop {
        let length = usize::from(*packet.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        let label = packet.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        at += length;
    }
    let kind = packet.get(at..at + 2)?.try_into().ok()?;
    // Four bytes: the kind and the class.
    (packet.len() >= at + 4).then(|| (labels.join("."), u16::from_be_bytes(kind), at + 4))
}

/// The length of a packet's head: an id, flags, and how many records of each sort follow.
const HEAD: usize = 12;

fn reply(asked: &[u8], kind: u16, answer: Answer) -> Option<Vec<u8>> {
    let mut alias = None;
    let (code, addresses) = match answer {
        Answer::Address(address) | Answer::Slow(_, address) => (0, vec![address.into()]),
        Answer::Addresses(addresses) => (0, addresses.to_vec()),
        Answer::Alias(name, address) => {
            alias = Some(name);
            (0, vec![address.into()])
        }
        Answer::Nothing => (0, Vec::new()),
        Answer::Failure => (2, Vec::new()),
        Answer::NoSuchName => (3, Vec::new()),
        Answer::Refusal => (5, Vec::new()),
        Answer::Silence => return None,
        Answer::Noise => return Some(asked.iter().map(|byte| !byte).collect()),
        Answer::Stranger => {
            // Who asks tells questions by their first two bytes.
            let mut other = asked.to_vec();
            other[1] ^= 1;
            return reply(&other, kind, Answer::Address(Ipv4Addr::LOCALHOST));
        }
    };
    // The name of the question, wherever it is meant.
    let mut owner = vec![0xC0, HEAD as u8];
    let mut records = Vec::new();
    if let Some(name) = alias {
        let name = encoded(name);
        records.push(record(&owner, CNAME, &name));
        owner = name;
    }
    for address in addresses {
        match address {
            IpAddr::V4(address) if kind == A => {
                records.push(record(&owner, A, &address.octets()));
            }
            IpAddr::V6(address) if kind == AAAA => {
                records.push(record(&owner, AAAA, &address.octets()));
            }
            _ => {}
        }
    }
    let mut packet = asked.to_vec();
    // An answer of the name's own server; it takes questions for others' names too.
    packet[2..4].copy_from_slice(&[0x85, 0x80 | code]);
    packet[4..HEAD].copy_from_slice(&[0, 1, 0, records.len() as u8, 0, 0, 0, 0]);
    packet.extend(records.concat());
    Some(packet)
}

/// A record of the Internet, for no time at all.
fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let head = [0, kind as u8, 0, 1, 0, 0, 0, 0, 0, data.len() as u8];
    [owner, &head, data].concat()
}

/// A name as packets have it: each label behind its length, and the root's.
fn encoded(name: &str) -> Vec<u8> {
    let labels = name.split('.').flat_map(|label| {
        let length = label.len() as u8;
        std::iter::once(length).chain(label.bytes())
    });
    labels.chain([0]).collect()
}
