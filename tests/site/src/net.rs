//! Runtimes and sockets.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// A runtime in its own threads, that can be started and stopped from anywhere, asynchronous
/// code included.
pub(crate) struct Background(Option<Runtime>);

impl Background {
    /// Starts the threads, named `name`.
    pub fn start(name: &str) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(4)
            .thread_name(name)
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    /// Runs something as a part of the runtime, for what has to be made in one.
    pub fn within<T>(&self, make: impl FnOnce() -> T) -> T {
        let _within = self.0.as_ref().map(Runtime::enter);
        make()
    }

    /// Runs a task until the runtime is dropped.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            runtime.spawn(task);
        }
    }
}

impl Drop for Background {
    /// Drops all the tasks, and waits until they are.
    fn drop(&mut self) {
        let runtime = self.0.take();
        // A runtime may not be waited for in another one's thread: it is in one of ours.
        let stop = move || runtime.map(|runtime| runtime.shutdown_timeout(Duration::from_secs(5)));
        let _ = std::thread::spawn(stop).join();
    }
}

/// Listens on 127.0.0.1, on any free port if `port` is 0. To be called within a runtime.
pub(crate) fn listen(port: u16) -> io::Result<(TcpListener, u16)> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    let listener = socket.listen(4096)?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// The next connection. A passing failure (no file descriptor left…) is waited out.
pub(crate) async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
