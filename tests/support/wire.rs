//! A wire between a client and a server that speaks TLS, on which things go wrong once the
//! handshake (TLS 1.3) is over.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A bit of the request is turned over: the server tells the client that it is broken.
    SpoilRequest,
    /// When the request has gone by, the client gets a record that the server did not send.
    ForgeAnswer,
    /// A bit of the answer is turned over, after so many bytes from the server.
    SpoilAnswer(u64),
    /// The connection is closed after so many bytes from the server, without TLS's goodbye.
    Cut(u64),
    /// It is closed without goodbye when the request has gone by.
    CutAfterRequest,
    /// It is closed in the middle of the handshake.
    CutHandshake,
    /// The same, but reset.
    ResetHandshake,
}

/// A wire that ends on 127.0.0.1. It lives as long as the process.
pub struct Wire {
    port: u16,
}

impl Wire {
    /// Lays a wire to a port of this machine.
    pub fn to(server: u16, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(("127.0.0.1", server)).expect("the server");
                // Either side going away is nothing to tell.
                thread::spawn(move || relay(client, server, fault));
            }
        });
        Self { port }
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.port)
    }
}

/// The type of records that carry what is encrypted.
const APPLICATION_DATA: u8 = 23;

fn relay(mut client: TcpStream, server: TcpStream, fault: Fault) -> io::Result<()> {
    if matches!(fault, Fault::CutHandshake | Fault::ResetHandshake) {
        read_record(&mut client)?;
        if fault == Fault::ResetHandshake {
            SockRef::from(&client).set_linger(Some(Duration::ZERO))?;
        }
        return Ok(());
    }
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    let returning = thread::spawn(move || answer(server, client, fault));
    let mut encrypted = 0;
    while let Some(mut record) = read_record(&mut from)? {
        encrypted += u32::from(record[0] == APPLICATION_DATA);
        // The first of them ends the handshake.
        let is_request = encrypted > 1;
        if is_request && fault == Fault::SpoilRequest {
            spoil(&mut record);
        }
        to.write_all(&record)?;
        if is_request && fault == Fault::ForgeAnswer {
            let forged = [&[APPLICATION_DATA, 3, 3, 0, 32][..], &[7; 32]].concat();
            from.write_all(&forged)?;
        }
        if is_request && fault == Fault::CutAfterRequest {
            from.shutdown(Shutdown::Both)?;
            return to.shutdown(Shutdown::Both);
        }
    }
    to.shutdown(Shutdown::Write)?;
    let _ = returning.join();
    Ok(())
}

fn answer(mut from: TcpStream, mut to: TcpStream, fault: Fault) -> io::Result<()> {
    let mut passed = 0;
    while let Some(mut record) = read_record(&mut from)? {
        passed += record.len() as u64;
        match fault {
            Fault::SpoilAnswer(after) if passed > after => spoil(&mut record),
            Fault::Cut(after) if passed > after => {
                to.shutdown(Shutdown::Both)?;
                return from.shutdown(Shutdown::Both);
            }
            _ => {}
        }
        to.write_all(&record)?;
    }
    to.shutdown(Shutdown::Write)
}

/// The next record of TLS with its head of five bytes. `None`: the end.
fn read_record(from: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut record = vec![0; 5];
    if from.read(&mut record[..1])? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut record[1..])?;
    let length = u16::from_be_bytes([record[3], record[4]]);
    record.resize(5 + usize::from(length), 0);
    from.read_exact(&mut record[5..])?;
    Ok(Some(record))
}

fn spoil(record: &mut [u8]) {
    if let Some(last) = record.last_mut() {
        *last ^= 1;
    }
}
