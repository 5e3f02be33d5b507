//! `serve`, `doctor`, `store`, `version`.

use std::process::ExitCode;

use consort_model::{Code, Problem};
use consort_server::{Listener, Options, VersionInfo};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Answer, Session};
use crate::args::{Serve, StoreCommand};
use crate::output::Format;
use crate::{assemble, background};

fn one(problem: Problem) -> Vec<Problem> {
    vec![problem]
}

pub(crate) async fn serve(session: &Session, serve: &Serve) -> Answer {
    let home = session.home().map_err(one)?;
    if serve.stop {
        return stop(session, serve.teardown).await;
    }
    let filter = session.environment.get("CONSORT_LOG").unwrap_or("info");
    let filter = tracing_subscriber::EnvFilter::try_new(filter).map_err(|error| {
        one(Problem::new(Code::USAGE, "CONSORT_LOG cannot be read").caused_by(&error))
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(session.output.live)
        .init();
    home.create().map_err(one)?;
    // The store first: its lock says that this is the only server of the home.
    let control = assemble::assemble(&home).await.map_err(one)?;
    let listener = Listener::bind(&home.socket()).map_err(|error| {
        one(Problem::new(Code::STORE_LOCKED, "the server cannot listen").caused_by(&error))
    })?;
    let stop = CancellationToken::new();
    let router = consort_server::router(
        std::sync::Arc::clone(&control),
        Options { stop: stop.clone() },
    );
    on_signal(stop.clone()).map_err(one)?;
    tracing::info!(home = %home.directory.display(), "serving");
    consort_server::serve(listener, router, stop).await;
    control.shutdown().await.map_err(one)?;
    tracing::info!("ended; what runs goes on");
    Ok(ExitCode::SUCCESS)
}

fn on_signal(stop: CancellationToken) -> Result<(), Problem> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |error: std::io::Error| {
        Problem::new(Code::INTERNAL, "signals cannot be received").caused_by(&error)
    };
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    tokio::spawn(async move {
        // Cancel-safe: both are.
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.cancel();
    });
    Ok(())
}

async fn stop(session: &Session, teardown: bool) -> Answer {
    let home = session.home().map_err(one)?;
    let client = match background::existing(&home).await {
        Some(client) => client,
        // What is left of the home is only known to a server.
        None if teardown && home.server_shim().exists() => session.client().await.map_err(one)?,
        None => {
            session.output.note("No server holds this home.");
            return Ok(ExitCode::SUCCESS);
        }
    };
    client.shutdown(false, teardown).await?;
    background::wait_until_gone(&home).await.map_err(one)?;
    if teardown {
        home.remove_sockets();
    }
    session.output.note("The server of this home has ended.");
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn version(session: &Session) -> Answer {
    let own = VersionInfo::own();
    let home = session.home().map_err(one)?;
    let server = match background::existing(&home).await {
        Some(client) => client.version().await.ok(),
        None => None,
    };
    match session.output.format {
        Format::Json => session
            .output
            .json(&json!({"client": own.version, "api": own.api, "server": server})),
        Format::Text => {
            session
                .output
                .line(format!("consort {} (API {})", own.version, own.api));
            if let Some(server) = server {
                session.output.line(format!(
                    "server  {} (API {}, process {})",
                    server.version, server.api, server.pid
                ));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn doctor(session: &Session, store: bool) -> Answer {
    let client = session.client().await.map_err(one)?;
    if store {
        let found = client.store_verify().await?;
        if session.output.format == Format::Json {
            session.output.json(&found);
        } else if found.is_empty() {
            session.output.line("The store is sound.");
        } else {
            found
                .iter()
                .for_each(|line| session.output.line(format!("! {line}")));
        }
        return Ok(if found.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    let capabilities = client.capabilities().await?;
    let home = session.home().map_err(one)?;
    if session.output.format == Format::Json {
        session.output.json(
            &json!({"home": home.directory, "sockets": home.sockets, "capabilities": capabilities}),
        );
        return Ok(ExitCode::SUCCESS);
    }
    session
        .output
        .line(format!("home     {}", home.directory.display()));
    session
        .output
        .line(format!("sockets  {}\n", home.sockets.display()));
    for capability in capabilities {
        let mark = if capability.available { "yes" } else { "no " };
        session.output.line(format!(
            "{mark}  {}: {}",
            capability.name, capability.detail
        ));
        if !capability.consequence.is_empty() {
            session
                .output
                .line(format!("     {}", capability.consequence));
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn store(session: &Session, command: &StoreCommand) -> Answer {
    let home = session.home().map_err(one)?;
    match command {
        StoreCommand::Backup { to } => {
            let client = session.client().await.map_err(one)?;
            let to = session.environment.directory.join(to);
            client.store_backup(&to).await?;
            session.output.note(format!(
                "The store and its key are in {}. Keep it as safe as the home.",
                to.display()
            ));
        }
        StoreCommand::Restore { from } => {
            if background::existing(&home).await.is_some() {
                let problem = Problem::new(Code::STORE_LOCKED, "a server holds this home");
                return Err(one(problem.remedy("End it first: `consort serve --stop`.")));
            }
            home.create().map_err(one)?;
            let from = session.environment.directory.join(from);
            consort_store::restore(&from, &assemble::store_directory(&home))
                .map_err(|error| one(error.into()))?;
            session.output.note(
                "The store is that of the backup. `consort drift` compares it with what is there.",
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}
