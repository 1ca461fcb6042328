//! Whether a configuration holds together. Looks at nothing outside the file's own values.

use std::collections::HashSet;

use ipnet::IpNet;

use super::{Config, StreamEntry};
use crate::compose::Kind;
use crate::credentials::is_password_hash;
use crate::mail::{Address, AnswerProfile, Bulk, DomainPattern, StreamClass};
use crate::rewrite::Trackers;
use crate::store::DatabaseSettings;

impl Config {
    /// All that is wrong, each with its place and the mend; empty when nothing is.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let url = &self.public_url;
        if url.strip_prefix("https://").is_none_or(|host| host.is_empty() || host.contains(['/', '?', '#', ' '])) {
            // Links in mails carry tokens; RFC 8058 s.3.1 wants https
            faults.push(format!("public_url = {url:?}: must be https:// and a host, without a path"));
        }
        if self.data_dir.as_os_str().is_empty() {
            faults.push("data_dir is empty; write data_dir = \"/var/lib/consentry\"".into());
        }
        self.check_listeners(&mut faults);
        if let Err(error) = self.smtp.check() {
            faults.push(format!("smtp: {error}"));
        }
        faults.extend(self.outbound.faults().into_iter().map(|fault| format!("outbound: {fault}")));
        faults.extend(self.spool.faults().into_iter().map(|fault| format!("spool: {fault}")));
        if self.streams.is_empty() {
            faults.push("no [[stream]]: nobody could send".into());
        }
        self.check_controllers(&mut faults);
        self.check_topics(&mut faults);
        self.check_forms(&mut faults);
        self.check_policy(&mut faults);
        faults.extend(self.database.iter().flat_map(DatabaseSettings::faults).map(|fault| format!("database: {fault}")));
        faults.extend(self.residency().faults());
        faults.extend(Trackers::new(&self.rewrite.trackers).err().map(|fault| format!("rewrite: tracker {fault}")));
        unique("stream", "name", self.streams.iter().map(|stream| stream.name.as_str()), &mut faults);
        unique("stream", "username", self.streams.iter().filter_map(|stream| stream.username.as_deref()), &mut faults);
        for (n, stream) in self.streams.iter().enumerate() {
            self.check_stream(stream, &mut faults);
            check_networks(stream, &self.streams[..n], &mut faults);
        }
        for key in &self.dkim {
            if DomainPattern::parse(&key.domain).is_none() || key.domain.starts_with('*') {
                faults.push(format!("dkim domain = {:?}: write a domain, e.g. example.com", key.domain));
            }
        }
        faults
    }

    fn check_controllers(&self, faults: &mut Vec<String>) {
        unique("controller", "key", self.controllers.iter().map(|controller| controller.key.as_str()), faults);
        for controller in &self.controllers {
            let place = format!("controller {:?}", controller.key);
            if controller.key.is_empty() || controller.key.len() > 64 {
                faults.push(format!("{place}: key must have 1 to 64 characters"));
            }
            if Kind::ALL.iter().any(|kind| kind.as_str() == controller.key) {
                faults.push(format!("{place}: key is the name of a directory in templates_dir; choose another"));
            }
            for (name, value) in [("name", &controller.name), ("imprint", &controller.imprint)] {
                if value.trim().is_empty() {
                    faults.push(format!("{place}: {name} is empty; every advertising mail must name its sender (L-ID-02)"));
                }
            }
            if !controller.privacy_url.starts_with("https://") {
                faults.push(format!("{place}: privacy_url must be an https:// address"));
            }
            faults.extend(controller.headers.faults().into_iter().map(|fault| format!("{place}: {fault}")));
            faults.extend(controller.brand.faults().into_iter().map(|fault| format!("{place}: {fault}")));
            if let Err(error) = Address::parse(&controller.from) {
                faults.push(format!("{place}: from: {error}"));
            }
        }
    }

    fn check_topics(&self, faults: &mut Vec<String>) {
        unique("topic", "name", self.topics.iter().map(|topic| topic.name.as_str()), faults);
        unique("topic", "list_id", self.topics.iter().map(|topic| topic.list_id.as_str()), faults);
        for topic in &self.topics {
            let place = format!("topic {:?}", topic.name.as_str());
            if !self.controllers.iter().any(|controller| controller.key == topic.controller) {
                faults.push(format!("{place}: controller = {:?} is no [[controller]] key", topic.controller));
            }
            if topic.title.trim().is_empty() {
                faults.push(format!("{place}: title is empty; people read it"));
            }
            // RFC 2919 s.3
            let domain = DomainPattern::parse(&topic.list_id).is_some() && !topic.list_id.starts_with('*');
            if !domain || !topic.list_id.is_ascii() || !topic.list_id.contains('.') || topic.list_id.len() > 255 {
                faults.push(format!("{place}: list_id must be like weekly.news.example.com"));
            }
        }
    }

    fn check_forms(&self, faults: &mut Vec<String>) {
        unique("form", "name", self.forms.iter().map(|form| form.name.as_str()), faults);
        for form in &self.forms {
            let place = format!("form {:?}", form.name);
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if form.name.is_empty() || form.name.len() > 64 || !form.name.chars().all(plain) {
                faults
                    .push(format!("{place}: name must have 1 to 64 characters of a-z, A-Z, 0-9, - and _; it stands in the form's address"));
            }
            if !self.controllers.iter().any(|controller| controller.key == form.controller) {
                faults.push(format!("{place}: controller = {:?} is no [[controller]] key", form.controller));
            }
            if form.topics.is_empty() {
                faults.push(format!("{place}: topics is empty, so nobody would know what for"));
            }
            for topic in &form.topics {
                match self.topics.iter().find(|entry| entry.name == *topic) {
                    Some(entry) if entry.controller == form.controller => {}
                    Some(entry) => faults.push(format!("{place}: topic {:?} belongs to controller {:?}", topic.as_str(), entry.controller)),
                    None => faults.push(format!("{place}: topic {:?} is no [[topic]] name", topic.as_str())),
                }
            }
            if form.url.as_ref().is_some_and(|url| !url.starts_with("https://")) {
                faults.push(format!("{place}: url must be an https:// address"));
            }
        }
    }

    fn check_policy(&self, faults: &mut Vec<String>) {
        faults.extend(self.profiles.iter().flat_map(|(name, change)| change.faults(*name)));
        for entry in &self.similar {
            if !self.controllers.iter().any(|controller| controller.key == entry.controller) {
                faults.push(format!("similar: controller = {:?} is no [[controller]] key", entry.controller));
            }
            if entry.topics.is_empty() || entry.author.trim().is_empty() {
                faults.push("similar: needs topics, and an author who judged that they serve the same need (L-SOFT-03)".into());
            }
        }
    }

    fn check_stream(&self, stream: &StreamEntry, faults: &mut Vec<String>) {
        let place = format!("stream {:?}", stream.name);
        if stream.name.is_empty() || stream.name.len() > 64 {
            faults.push(format!("{place}: name must have 1 to 64 characters"));
        }
        if !self.controllers.iter().any(|controller| controller.key == stream.controller) {
            faults.push(format!("{place}: controller = {:?} is no [[controller]] key", stream.controller));
        }
        match &stream.topic {
            Some(topic) => match self.topics.iter().find(|entry| entry.name == *topic) {
                None => faults.push(format!("{place}: topic = {:?} is no [[topic]] name", topic.as_str())),
                Some(entry) if entry.controller != stream.controller => {
                    faults.push(format!("{place}: topic {:?} belongs to controller {:?}", topic.as_str(), entry.controller));
                }
                Some(_) => {}
            },
            None if stream.class == StreamClass::Marketing && !self.topics.iter().any(|topic| topic.controller == stream.controller) => {
                faults.push(format!("{place}: its controller has no [[topic]], so all its marketing would be blocked"));
            }
            None => {}
        }
        if stream.answer == AnswerProfile::RejectAtRcpt && (stream.class != StreamClass::Marketing || stream.topic.is_none()) {
            faults.push(format!(
                "{place}: answer = \"reject-at-rcpt\" needs class = \"marketing\" and a topic: at RCPT nothing else is known"
            ));
        }
        let (recipients, within) = (stream.bulk.recipients, stream.bulk.within.as_secs());
        if recipients == 1 || recipients > Bulk::MOST || !(60..=7 * 24 * 3_600).contains(&within) {
            faults.push(format!(
                "{place}: bulk: recipients must be 2 to {}, or 0 to count nothing, and within one minute to seven days, e.g. {{ recipients = 50, within = \"1h\" }}",
                Bulk::MOST
            ));
        }
        if stream.from_domains.is_empty() {
            faults.push(format!("{place}: from_domains is empty, so nothing could be sent"));
        }
        for pattern in &stream.from_domains {
            if DomainPattern::parse(pattern).is_none() {
                faults.push(format!("{place}: from_domains: {pattern:?} is neither example.com nor *.example.com"));
            }
        }
        match (&stream.username, &stream.password_hash) {
            (Some(_), None) => faults.push(format!("{place}: username without password_hash; make one by `consentry user hash-password`")),
            (None, Some(_)) => faults.push(format!("{place}: password_hash without username")),
            (Some(_), Some(hash)) if !is_password_hash(hash) => {
                faults.push(format!("{place}: password_hash is no argon2 hash; make one by `consentry user hash-password`"));
            }
            (None, None)
                if stream.networks.is_empty() && !self.listeners.iter().any(|entry| entry.stream.as_ref() == Some(&stream.name)) =>
            {
                faults.push(format!("{place}: needs username and password_hash, or networks, or a [[listener]] that names it"));
            }
            _ => {}
        }
        if [stream.messages_per_minute, stream.recipients_per_minute].contains(&Some(0)) {
            faults.push(format!("{place}: messages_per_minute and recipients_per_minute must be at least 1; leave them out for no limit"));
        }
        if stream.networks.iter().any(|network| network.prefix_len() == 0) {
            // M-01, M-02: the whole internet is an open relay
            faults.push(format!("{place}: networks must not hold the whole internet"));
        }
    }
}

/// A connection belongs to one stream, whatever the order of the file.
fn check_networks(stream: &StreamEntry, before: &[StreamEntry], faults: &mut Vec<String>) {
    for other in before {
        let both = |own: &&IpNet| other.networks.iter().any(|network| network.contains(*own) || own.contains(network));
        if let Some(network) = stream.networks.iter().find(both) {
            faults.push(format!("stream {:?}: networks: {network} is, in part, stream {:?}'s too", stream.name, other.name));
        }
    }
}

fn unique<'a>(table: &str, key: &str, values: impl Iterator<Item = &'a str>, faults: &mut Vec<String>) {
    let mut seen = HashSet::new();
    for value in values {
        if !seen.insert(value) {
            faults.push(format!("two [[{table}]] have {key} = {value:?}"));
        }
    }
}
