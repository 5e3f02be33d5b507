//! Commands inside instances: their streams as events.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use base64::Engine as _;
use consort_driver::{InstanceStatus, Phase};
use consort_model::address::Part;
use consort_model::{Address, Code, Kind, Problem};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::control::{ExecEvent, ExecRequest, Feed};
use crate::engine::Engine;
use crate::tasks::TaskKind;

type Events = mpsc::Sender<Result<ExecEvent, Problem>>;

impl Engine {
    pub(crate) async fn exec_inside(
        self: &Arc<Self>,
        deployment: &str,
        request: ExecRequest,
    ) -> Result<Feed<ExecEvent>, Problem> {
        let found = self.deployment(deployment).await?;
        let context = self.context_of(&found).await?;
        let target = Arc::clone(self.target(found.target)?);
        let service = Address::new(Kind::Service, &request.service);
        let list = target
            .instances()
            .instance_list(&context, Some(&service))
            .await
            .map_err(|error| error.problem())?;
        let id = choose(&list, &service, request.index)?;
        let (stdin, mut input) = pipe()?;
        let (mut output, stdout) = pipe()?;
        let (mut errors, stderr) = pipe()?;
        let (stdin, stdout, stderr) = (
            OwnedFd::from(stdin),
            OwnedFd::from(stdout),
            OwnedFd::from(stderr),
        );
        let (send, receive) = mpsc::channel(16);
        if let Some(text) = request.stdin {
            tokio::task::spawn_blocking(move || {
                // A command that does not read its input is no error.
                let _ = input.write_all(text.as_bytes());
            });
        } else {
            drop(input);
        }
        let (of_output, of_errors) = (send.clone(), send.clone());
        let reading =
            tokio::task::spawn_blocking(move || pass(&mut output, &of_output, ExecEvent::Stdout));
        let reading_errors =
            tokio::task::spawn_blocking(move || pass(&mut errors, &of_errors, ExecEvent::Stderr));
        self.tasks.start(TaskKind::Feed, async move {
            let streams: [OwnedFd; 3] = [stdin, stdout, stderr];
            let code = target.exec(&context, &id, request.command, streams).await;
            let _ = reading.await;
            let _ = reading_errors.await;
            let _ = send
                .send(code.map(ExecEvent::Exit).map_err(|error| error.problem()))
                .await;
        });
        Ok(ReceiverStream::new(receive).boxed())
    }
}

fn pipe() -> Result<(std::io::PipeReader, std::io::PipeWriter), Problem> {
    std::io::pipe()
        .map_err(|error| Problem::new(Code::INTERNAL, "a pipe cannot be made").caused_by(&error))
}

fn pass(from: &mut std::io::PipeReader, to: &Events, event: fn(String) -> ExecEvent) {
    let mut buffer = [0; 8192];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 {
            return;
        }
        let text = base64::engine::general_purpose::STANDARD.encode(&buffer[..count]);
        if to.blocking_send(Ok(event(text))).is_err() {
            return;
        }
    }
}

fn choose(
    list: &[InstanceStatus],
    service: &Address,
    index: Option<u32>,
) -> Result<String, Problem> {
    let runs = |status: &&InstanceStatus| {
        matches!(
            status.phase,
            Phase::Ready | Phase::Running | Phase::Unhealthy
        ) && !status.draining
    };
    let number = |status: &InstanceStatus| match status.address.part() {
        Some(Part::Instance(number)) => *number,
        Some(Part::Task(_)) | None => 1,
    };
    let mut running: Vec<&InstanceStatus> = list.iter().filter(runs).collect();
    running.sort_by_key(|status| number(status));
    let chosen = running
        .iter()
        .find(|status| index.is_none_or(|index| index == number(status)));
    chosen.map(|status| status.id.clone()).ok_or_else(|| {
        let which = index.map_or_else(
            || service.to_string(),
            |index| service.clone().instance(index).to_string(),
        );
        Problem::new(
            Code::NODE_UNKNOWN,
            format!("no instance of `{which}` is running"),
        )
        .remedy("`consort ps` shows what runs.")
    })
}
