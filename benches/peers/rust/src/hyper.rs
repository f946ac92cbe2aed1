use ::hyper::Request;
use ::hyper::body::Bytes;
use ::hyper::client::conn::http1;
use futures_util::future::join_all;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

use crate::{Outcome, Run, TIMEOUT, block_on, check};

pub fn all(run: &Run) -> Outcome {
    block_on(LocalSet::new().run_until(async {
        let outcomes = join_all((0..run.concurrency).map(|_| one(run))).await;
        outcomes.into_iter().collect()
    }))
}

/// The requests of one connection.
async fn one(run: &Run) -> Outcome {
    let uri: ::hyper::Uri = run.url.parse()?;
    let authority = uri.authority().ok_or("no host")?;
    let stream = TcpStream::connect(authority.as_str()).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    spawn_local(connection);
    while run.start() {
        sender.ready().await?;
        let request = Request::get(uri.path())
            .header("host", authority.as_str())
            .body(Empty::<Bytes>::new())?;
        let answered = async { answer(sender.send_request(request).await?).await };
        run.ended(timeout(TIMEOUT, answered).await?);
    }
    Ok(())
}

pub async fn answer(answer: ::hyper::Response<::hyper::body::Incoming>) -> Outcome {
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    check(status, body.len())
}
