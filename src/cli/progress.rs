//! Events become bars, lines or JSON on stderr.

use std::io::IsTerminal as _;
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::args::{Global, Progress};
use super::output::say;
use crate::app::{Event, Observer, Silent};
use crate::domain::inert_limited;
use crate::report::canonical_json;

/// The observer that the flags ask for.
pub(crate) fn observer(global: &Global) -> Box<dyn Observer> {
    let how = match global.progress {
        Progress::Auto if global.quiet => Progress::None,
        Progress::Auto if global.json => Progress::Json,
        Progress::Auto if std::io::stderr().is_terminal() => Progress::Bar,
        Progress::Auto => Progress::Plain,
        how => how,
    };
    match how {
        Progress::Bar => Box::new(Bar::new()),
        Progress::Json => Box::new(Json),
        Progress::None => Box::new(Silent),
        Progress::Plain | Progress::Auto => Box::new(Plain),
    }
}

struct Plain;

impl Observer for Plain {
    fn event(&self, event: Event) {
        match event {
            Event::Stage { name, total: Some(total) } => say(&format!("{name}: {total} items")),
            Event::Stage { name, total: None } => say(name),
            Event::SourceEnded { source, items, proper: true, .. } => say(&format!("  {source}: {items} items")),
            Event::SourceEnded { source, items, reason, .. } => {
                say(&format!("  {source}: {items} items, not complete: {}", inert_limited(&reason, 200)));
            }
            Event::Note(note) => say(&note),
            Event::Progress { .. } => {}
        }
    }
}

struct Json;

impl Observer for Json {
    fn event(&self, event: Event) {
        let value = match event {
            Event::Stage { name, total } => json!({"type": "stage", "name": name, "total": total}),
            Event::Progress { done } => json!({"type": "progress", "done": done}),
            Event::SourceEnded { source, items, proper, reason } => {
                json!({"type": "source", "source": source, "items": items, "proper": proper, "reason": reason})
            }
            Event::Note(message) => json!({"type": "note", "message": message}),
        };
        say(String::from_utf8_lossy(&canonical_json(&value)).trim_end());
    }
}

struct Bar {
    bar: ProgressBar,
    stage: Mutex<&'static str>,
}

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
        Self { bar, stage: Mutex::new("") }
    }
}

impl Observer for Bar {
    fn event(&self, event: Event) {
        match event {
            Event::Stage { name, total } => {
                if let Ok(mut stage) = self.stage.lock() {
                    *stage = name;
                }
                self.bar.reset();
                let template = if total.is_some() {
                    "{msg:10} [{bar:30}] {human_pos}/{human_len} {per_sec} {eta}"
                } else {
                    "{msg:10} {spinner} {human_pos} {per_sec}"
                };
                if let Some(total) = total {
                    self.bar.set_length(total);
                }
                if let Ok(style) = ProgressStyle::with_template(template) {
                    self.bar.set_style(style);
                }
                self.bar.set_message(name);
            }
            Event::Progress { done } => self.bar.set_position(done),
            Event::SourceEnded { source, items, proper, reason } => {
                let note =
                    if proper { String::new() } else { format!(", not complete: {}", inert_limited(&reason, 200)) };
                self.bar.println(crate::domain::inert(&format!("  {source}: {items} items{note}")));
            }
            Event::Note(note) => self.bar.println(crate::domain::inert(&note)),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
