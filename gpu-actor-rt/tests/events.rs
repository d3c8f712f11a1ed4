//! What a program hears through `tracing`.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gpu_actor_rt::prelude::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Fails on demand.
#[gpu_actor]
#[derive(Default)]
struct Moody {
    calls: u32,
}

#[gpu_actor]
impl Moody {
    #[handler]
    fn call(&mut self, fail: bool) {
        self.calls += 1;
        assert!(!fail, "in a mood");
    }
}

/// Keeps every event, and every span, as a line of text.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("gpu_actor_rt")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line(format!("SPAN {}", span.metadata().name()));
        span.record(&mut line);
        self.0.lock().expect("no panic").push(line.0);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().expect("no panic").push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn start_activation_faults_timeouts_and_stop_are_events() {
    let listener = Listener::default();
    let _guard = tracing::subscriber::set_default(listener.clone());
    let system = ActorSystem::start(Config::default().workers(1)).await.unwrap();
    let moody = system.actor::<Moody>("m");
    moody.call(true).tell().unwrap();
    assert!(moody.call(true).await.is_err());
    system.drained().await.unwrap();
    system.pause().await.unwrap();
    assert!(moody.call(false).timeout(Duration::from_millis(5)).await.is_err());
    system.resume().await.unwrap();
    system.shutdown().await.unwrap();

    let lines = listener.0.lock().unwrap().clone();
    let heard = |level: Level, parts: &[&str]| {
        let level = level.to_string();
        lines.iter().any(|line| line.starts_with(&level) && parts.iter().all(|part| line.contains(part)))
    };
    for (level, parts) in [
        (Level::INFO, ["actor system started", "Software GPU", "workers=1"]),
        (Level::DEBUG, ["addressed for the first time", "Moody(\"m\")", "slot=0"]),
        (Level::WARN, ["nobody waits", "Moody(\"m\").call faulted", "in a mood"]),
        (Level::DEBUG, ["a handler faulted", "Moody(\"m\").call faulted", "events.rs"]),
        (Level::WARN, ["no reply in time", "Moody(\"m\")", "call"]),
        (Level::INFO, ["actor system stopped", "lost=0", ""]),
    ] {
        assert!(heard(level, &parts), "{level} {parts:?} in {lines:#?}");
    }
    for span in ["SPAN start", "SPAN lower types=1", "SPAN load", "SPAN stop drain=true"] {
        assert!(lines.iter().any(|line| line == span), "no `{span}` in {lines:#?}");
    }
}
