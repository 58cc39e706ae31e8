//! A scene over sockets: who answers for it, how they behave, and where the auditor finds them.

use std::fmt;
use std::fs;
use std::future::Future;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use super::{NoRoom, Scene, append};
use crate::domain::{Media, SourceId, Subject};
use crate::sim::config::{Addresses, SERVED_ARCHIVE, loopback_toml};
use crate::sim::gateway_log::LogEntry;
use crate::sim::server::{
    Behaviour, DEFAULT_KINDS, Misbehaviour, RelayRules, Role, Schedule, Services, Serving, serve_with,
};
use crate::sim::world::World;
use crate::sim::write::{SimError, serve_toml};

/// How a scene comes to the auditor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Transport {
    /// Everything as files, judged without a socket.
    #[default]
    Files,
    /// What is served in the field over loopback sockets, the rest as files beside them.
    Sockets,
}

impl Transport {
    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Sockets => "sockets",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Transport {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Files, Self::Sockets].into_iter().find(|transport| transport.name() == text).ok_or(())
    }
}

/// Kinds that the profile asks relays for (FORMATS 1). What is of no such kind never comes over a socket.
pub(in crate::sim) const ASKED: [u16; 14] =
    [30_078, 30_079, 30_080, 30_081, 30_082, 30_083, 30_084, 30_085, 30_086, 30_087, 30_110, 30_111, 30_112, 30_114];
/// Kinds of a gateway's log that a reader who wants to see all money asks for (TREASURY 1.4); nothing else is sent.
const LOGGED: [&str; 8] = [
    "payment-send",
    "payment-send-status",
    "payment-send-update",
    "payment-receive",
    "payment-receive-update",
    "tx-created",
    "tx-accepted",
    "tx-rejected",
];
/// Relays of a served scene. The first is the operator's, the last is as it should be, so that nothing is lost.
pub(in crate::sim) const RELAYS: usize = 5;
/// The host of every server, as evidence names it.
pub(in crate::sim) const SERVED_BY: &str = "127.0.0.1";
/// What stands for the address of the server of fixed places until it has one.
const WELL_KNOWN_HOST: &str = "<well-known>";
/// Files of records whose appended lines become records of the served document.
const SETTLEMENTS: &str = "gateway/settlements.jsonl";
const BALANCES: &str = "balances.jsonl";
/// The archive, which a served scene without archived events has only when something was appended to it.
const ARCHIVE: &str = "nostr/events.jsonl";
/// The length of one pause of a slow server: what is slow on purpose costs a world less than a tenth of a second.
const PACE_MS: u64 = 5;

impl Scene {
    /// The world, untouched, on its way over that transport. What nobody asks for over sockets is not in it.
    pub fn over(mut world: World, transport: Transport) -> Self {
        if transport == Transport::Sockets {
            world.events.retain(|event| ASKED.contains(&event.kind));
            world.payment_log.retain(is_logged);
            world.archived.retain(|event| ASKED.contains(&event.kind));
        }
        let relays = vec![RelayRules::default(); RELAYS];
        let services = Services { relays, pace_ms: PACE_MS, ..Services::default() };
        Self { transport, services, ..Self::of(world) }
    }

    /// The relay's name as a source, until its address is known.
    pub(in crate::sim) fn relay(index: usize) -> SourceId {
        SourceId(placeholder(Role::Relay, index))
    }

    /// The name of the node that gives headers, until its address is known.
    pub(in crate::sim) fn node() -> SourceId {
        SourceId(placeholder(Role::Headers, 0))
    }

    /// The last price list comes from a host as well.
    ///
    /// # Errors
    /// [`NoRoom`] for a scene of files: there is no host.
    pub(in crate::sim) fn serve_last_price_list(&mut self) -> Result<(), NoRoom> {
        self.servers()?;
        let index = self.world.configs.len().checked_sub(1).ok_or(NoRoom)?;
        self.served_lists.push(index);
        let listed = "[projects]\nconfigs = [\"configs/\"";
        let more = format!("{listed}, \"{WELL_KNOWN_HOST}/projects/{index}/.well-known/oc-config.json\"");
        self.replaced.push((listed.to_owned(), more));
        Ok(())
    }

    /// How the scene is served.
    ///
    /// # Errors
    /// [`NoRoom`] for a scene of files: nobody serves it.
    pub(in crate::sim) fn servers(&mut self) -> Result<&mut Services, NoRoom> {
        if self.transport == Transport::Sockets { Ok(&mut self.services) } else { Err(NoRoom) }
    }

    /// Lets one server misbehave; nobody else may touch it.
    ///
    /// # Errors
    /// [`NoRoom`] for a scene of files, and for a server that another fault has.
    pub(in crate::sim) fn misbehave(
        &mut self,
        role: Role,
        index: usize,
        how: Misbehaviour,
        when: Schedule,
    ) -> Result<(), NoRoom> {
        self.claim(placeholder(role, index))?;
        self.behave(role, index, how, when)
    }

    /// Lets a server that this fault has already misbehave in one more way.
    ///
    /// # Errors
    /// [`NoRoom`] for a scene of files.
    pub(crate) fn behave(&mut self, role: Role, index: usize, how: Misbehaviour, when: Schedule) -> Result<(), NoRoom> {
        let behaviour = Behaviour::new(role, Some(index), how, when).map_err(|_| NoRoom)?;
        self.servers()?.behaviours.push(behaviour);
        Ok(())
    }

    /// Changes what one relay holds or allows; nobody else may touch it.
    ///
    /// # Errors
    /// As [`Self::misbehave`].
    pub(in crate::sim) fn rule(&mut self, index: usize, change: impl FnOnce(&mut RelayRules)) -> Result<(), NoRoom> {
        self.claim(placeholder(Role::Relay, index))?;
        change(self.servers()?.relays.get_mut(index).ok_or(NoRoom)?);
        Ok(())
    }

    /// False when the scene holds what its transport can't carry: an earlier run whose sources had other names, a
    /// configuration to change that is not there, an event that no relay is asked for.
    pub(in crate::sim) fn is_carried(&self) -> bool {
        self.transport == Transport::Files
            || self.earlier.is_none()
                && self.world.events.iter().all(|event| ASKED.contains(&event.kind))
                && self.world.payment_log.iter().all(is_logged)
                && self.can_configure(loopback_toml(&self.world, &Addresses::named(&self.services)))
    }

    /// Opens the servers of a scene over sockets until `shutdown` completes.
    ///
    /// # Errors
    /// [`SimError`] when a port can't be opened, or a server is to misbehave that is not there.
    pub async fn serve(&self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<Serving, SimError> {
        let mut world = self.world.clone();
        for (name, bytes) in &self.appended {
            let lines = String::from_utf8_lossy(bytes).into_owned();
            let records = lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned);
            match *name {
                SETTLEMENTS => world.settlements.extend(records),
                BALANCES => world.balances.extend(records),
                _ => {}
            }
        }
        serve_with(Arc::new(world), self.services.clone(), shutdown).await
    }

    /// Writes what a served scene keeps as files below `dir`, with `reledger.toml` on top.
    ///
    /// # Errors
    /// [`SimError`] when a folder or file can't be written.
    pub fn write_beside(&self, serving: &Serving, dir: &Path) -> Result<(), SimError> {
        let mut text = serve_toml(serving, &self.world, dir)?;
        for (name, bytes) in self.appended.iter().filter(|(name, _)| ![SETTLEMENTS, BALANCES].contains(name)) {
            let is_archived = *name == ARCHIVE && text.contains(SERVED_ARCHIVE);
            append(dir, if is_archived { SERVED_ARCHIVE } else { name }, bytes)?;
            if *name == ARCHIVE && !is_archived && !text.contains(ARCHIVE) {
                text = text.replace("[nostr]\n", &format!("[nostr]\nfiles = [\"{ARCHIVE}\"]\n"));
            }
        }
        let path = dir.join("reledger.toml");
        let text = Located::of(serving).text(&self.configure(text));
        fs::write(&path, text).map_err(|source| SimError::Write { path, source })
    }
}

fn is_logged(entry: &LogEntry) -> bool {
    DEFAULT_KINDS.iter().chain(&LOGGED).any(|kind| *kind == entry.kind)
}

/// The name that stands for a server until it has an address. No text of a world has this form.
fn placeholder(role: Role, index: usize) -> String {
    format!("<{role}:{index}>")
}

/// What stands for what once a scene is served: the names of servers, and of files whose records are served instead.
#[derive(Debug, Clone, Default)]
pub struct Located(Vec<(String, String)>);

impl Located {
    /// Where everything of that scene is.
    pub fn of(serving: &Serving) -> Self {
        let addresses = Addresses::of(serving);
        let many = |role, list: &[String]| {
            let named = list.iter().enumerate().map(|(index, address)| (placeholder(role, index), address.clone()));
            named.collect::<Vec<_>>()
        };
        let mut all = [many(Role::Relay, &addresses.relays), many(Role::Calendar, &addresses.calendars)].concat();
        for (role, media) in [
            (Role::Settlements, Some(Media::Settlement)),
            (Role::Invoices, Some(Media::Invoice)),
            (Role::PaymentLog, Some(Media::PaymentLogEntry)),
            (Role::Balances, Some(Media::Balance)),
            (Role::Headers, None),
            (Role::WellKnown, None),
        ] {
            let address = addresses.source(role);
            all.extend(media.map(|media| (SourceId::files(media).0, address.clone())));
            all.push((placeholder(role, 0), address));
        }
        all.push((WELL_KNOWN_HOST.to_owned(), addresses.at(Role::WellKnown).to_owned()));
        Self(all)
    }

    /// The text with addresses in the place of names.
    pub fn text(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, address)| text.replace(name, address))
    }

    /// The subject with addresses in the place of names.
    pub fn subject(&self, subject: &Subject) -> Subject {
        Subject(subject.0.iter().map(|(member, value)| (member.clone(), self.text(value))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::scene::AS_OF;

    fn scene() -> Scene {
        Scene::over(World::generate(3, 10), Transport::Sockets)
    }

    #[test]
    fn what_no_relay_and_no_gateway_is_asked_for_is_not_carried() {
        let honest = scene();
        assert!(honest.is_carried());
        let mut odd = honest.clone();
        odd.put_event(odd.hand.event("a stranger", 1, AS_OF - 60, Vec::new(), "hello".to_owned()));
        assert!(!odd.is_carried());
        let mut logged = honest.clone();
        logged.log("note-created", "mint", &serde_json::json!({}));
        assert!(!logged.is_carried());
        let files = Scene { transport: Transport::Files, ..odd };
        assert!(files.is_carried(), "an archive holds whatever it is given");
    }

    #[test]
    fn a_configuration_can_be_changed_where_it_is_and_an_earlier_run_had_other_addresses() {
        let mut changed = scene();
        changed.replaced.push(("[headers]\n".to_owned(), "[headers]\n# more\n".to_owned()));
        assert!(changed.is_carried());
        changed.replaced.push(("\"headers/0.headers\"".to_owned(), String::new()));
        assert!(!changed.is_carried());
        let later = Scene { earlier: Some(Box::new(scene())), ..scene() };
        assert!(!later.is_carried());
    }

    #[test]
    fn names_become_addresses_wherever_they_stand() {
        let place = |name: &str, address: &str| (name.to_owned(), address.to_owned());
        let located = Located(vec![place("<relay:1>", "ws://a"), place("files:settlement", "http://b/s")]);
        assert_eq!(located.text("source = \"<relay:1>\""), "source = \"ws://a\"");
        let subject = Subject::new("source", Scene::relay(1)).and("kind", 30_087);
        assert_eq!(located.subject(&subject), Subject::new("source", "ws://a").and("kind", 30_087));
        assert_eq!(located.subject(&Subject::new("source", "files:custody")), Subject::new("source", "files:custody"));
    }
}
