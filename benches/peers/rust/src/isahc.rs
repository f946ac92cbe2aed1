use ::isahc::prelude::*;
use ::isahc::{HttpClient, Request};

use crate::{Outcome, Run, TIMEOUT, check};

/// isahc runs curl on a thread of its own.
pub fn all(run: &Run) -> Outcome {
    let client = HttpClient::builder()
        .timeout(TIMEOUT)
        .connection_cache_size(run.concurrency)
        .build()?;
    futures_executor::block_on(run.tasks(async || {
        let mut answer = client.send_async(Request::get(&run.url).body(())?).await?;
        let body = answer.bytes().await?;
        check(answer.status(), body.len())
    }));
    Ok(())
}
