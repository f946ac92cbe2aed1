use ::reqwest::{Client, Url};

use crate::{Outcome, Run, TIMEOUT, block_on, check};

pub fn all(run: &Run) -> Outcome {
    block_on(async {
        let client = Client::builder()
            .no_proxy()
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(run.concurrency)
            .build()?;
        let url = Url::parse(&run.url)?;
        run.tasks(async || {
            let answer = client.get(url.clone()).send().await?;
            let status = answer.status();
            check(status, answer.bytes().await?.len())
        })
        .await;
        Ok(())
    })
}
