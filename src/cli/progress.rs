//! Events become bars, lines or JSON on stderr.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::args::{Global, Progress};
use super::output::say;
use crate::app::{Event, Observer, Silent};
use crate::domain::{inert, inert_limited};
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

/// How a stage of unknown, and of known, length looks.
const SPINNER: &str = "{msg:8} {spinner} {human_pos}";
const BAR: &str = "{msg:8} [{bar:30}] {human_pos}/{human_len}";

struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        let bar = Self(ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10)));
        bar.style(SPINNER);
        bar
    }

    fn style(&self, template: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style);
        }
    }
}

impl Observer for Bar {
    fn event(&self, event: Event) {
        match event {
            Event::Stage { name, total } => {
                match total {
                    Some(total) => self.0.set_length(total),
                    None => self.0.unset_length(),
                }
                self.style(if total.is_some() { BAR } else { SPINNER });
                self.0.set_message(name);
                self.0.set_position(0);
            }
            Event::Progress { done } => self.0.set_position(done),
            Event::SourceEnded { source, items, proper, reason } => {
                let note =
                    if proper { String::new() } else { format!(", not complete: {}", inert_limited(&reason, 200)) };
                self.0.println(inert(&format!("  {source}: {items} items{note}")));
            }
            Event::Note(note) => self.0.println(inert(&note)),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
