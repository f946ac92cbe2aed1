//! A small name server (RFC 1035), for the networks that tests have of their own.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What it answers.
#[derive(Clone, Copy)]
pub enum Answer {
    /// This IPv4 address, and no IPv6 one.
    Address(Ipv4Addr),
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
}

const A: u16 = 1;

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
                if let Some(reply) = reply(&packet[..end], kind, answer(&name)) {
                    // Who asked may have gone away.
                    let _ = socket.send_to(&reply, peer);
                }
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
    let (code, address) = match answer {
        Answer::Address(address) => (0, (kind == A).then_some(address)),
        Answer::Nothing => (0, None),
        Answer::Failure => (2, None),
        Answer::NoSuchName => (3, None),
        Answer::Refusal => (5, None),
        Answer::Silence => return None,
    };
    let mut packet = asked.to_vec();
    // An answer of the name's own server; it takes questions for others' names too.
    packet[2..4].copy_from_slice(&[0x85, 0x80 | code]);
    packet[4..HEAD].copy_from_slice(&[0, 1, 0, u8::from(address.is_some()), 0, 0, 0, 0]);
    if let Some(address) = address {
        // The name of the question, an address of the Internet, for no time at all.
        packet.extend([0xC0, HEAD as u8, 0, A as u8, 0, 1, 0, 0, 0, 0, 0, 4]);
        packet.extend(address.octets());
    }
    Some(packet)
}
