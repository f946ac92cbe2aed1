use std::sync::Arc;

use ::hyper_util::client::legacy::Client;
use ::hyper_util::client::legacy::connect::HttpConnector;
use ::hyper_util::rt::TokioExecutor;
use futures_util::future::try_join_all;
use http_body_util::Empty;
use hyper::Uri;
use hyper::body::Bytes;
use tokio::time::timeout;

use crate::hyper::answer;
use crate::{Outcome, Run, TIMEOUT, block_on};

type Pooled = Client<HttpConnector, Empty<Bytes>>;

fn client(run: &Run) -> Pooled {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(run.concurrency)
        .build(connector)
}

pub fn all(run: &Run) -> Outcome {
    block_on(async {
        let (client, uri): (_, Uri) = (client(run), run.url.parse()?);
        run.tasks(|| one(&client, &uri)).await;
        Ok(())
    })
}

async fn one(client: &Pooled, uri: &Uri) -> Outcome {
    let answered = async { answer(client.get(uri.clone()).await?).await };
    timeout(TIMEOUT, answered).await?
}

pub fn on_all_cores(run: Arc<Run>) -> Outcome {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let (client, uri): (_, Uri) = (client(&run), run.url.parse()?);
        let tasks = (0..run.concurrency).map(|_| {
            let (run, client, uri) = (run.clone(), client.clone(), uri.clone());
            tokio::spawn(async move { run.task(|| one(&client, &uri)).await })
        });
        try_join_all(tasks).await?;
        Ok(())
    })
}
