//! `offpeak node report-load`: what owners use now.

use std::io::BufRead;

use clap::Args;
use offpeak::v1::{LoadSample, ReportLoadRequest};
use offpeak_client::{Client, DEFAULT_TIMEOUT, Error};
use prost_reflect::DynamicMessage;
use tonic::Request;

use super::{
    amounts::Amounts,
    failure::{Failure, exit},
    input,
    json::{self, Described as _},
    node,
    session::Session,
};

/// Samples that go in one message; the server takes up to ten times as many.
const BATCH: usize = 1000;

/// What an owner uses.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  offpeak node report-load a1 --cpu 12.5 --memory 80GiB
  producer | offpeak node report-load -f -     # one JSON LoadSample a line")]
pub(crate) struct ReportLoad {
    /// The node
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    name: Option<String>,
    #[command(flatten)]
    load: Amounts,
    /// Read samples as JSON lines, such as {"node": "a1", "load": {"cpuMillis": 12500}}; - is stdin
    #[arg(long, short, value_name = "FILE")]
    file: Option<String>,
}

pub(crate) async fn report(
    report: ReportLoad,
    client: &Client,
    session: &Session,
) -> Result<(), Failure> {
    let samples = match (&report.name, &report.file) {
        (Some(name), _) => vec![LoadSample {
            node: node::plain(name),
            time: None,
            load: Some(report.load.to_resources()),
        }],
        (None, Some(file)) => read_samples(file).await?,
        (None, None) => Vec::new(),
    };
    let batches: Vec<ReportLoadRequest> = samples
        .chunks(BATCH)
        .map(|samples| ReportLoadRequest { samples: samples.to_vec() })
        .collect();
    let timeout = session.timeout.unwrap_or(DEFAULT_TIMEOUT);
    let mut request = Request::new(tokio_stream::iter(batches));
    request.set_timeout(timeout);
    let answer = client
        .nodes()
        .report_load(request)
        .await
        .map_err(|status| Error::from_status(&status, timeout))?
        .into_inner();
    let what = format!("accepted {}, ignored {}", answer.accepted, answer.ignored);
    session.out.done("load:", &what, &answer)
}

async fn read_samples(file: &str) -> Result<Vec<LoadSample>, Failure> {
    let text = input::read(file).await?;
    let mut samples = Vec::new();
    for (index, line) in text.as_bytes().lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let mut reader = serde_json::Deserializer::from_str(&line);
        let dynamic = DynamicMessage::deserialize(json::descriptor::<LoadSample>(), &mut reader)
            .and_then(|dynamic| reader.end().map(|()| dynamic))
            .map_err(|error| {
                let place = format!("{}:{}", input::shown(file), index + 1);
                Failure::new(exit::FAILURE, format!("{place}: {error}"))
                    .hint(format!("each line is a {} as JSON", LoadSample::NAME))
            })?;
        samples.push(json::typed(&dynamic));
    }
    Ok(samples)
}
