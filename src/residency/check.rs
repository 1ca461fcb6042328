//! Whether data may be where the configuration says it is: declared places, and those that nobody need declare because
//! they are on this machine.

use std::collections::HashSet;

use super::place::{Basis, ForeignControl, Place, PlaceKind, Processor, ResidencySettings, StorageRule};
use super::regime::{Adequacy, Regime, Standing};
use crate::consent::{Country, ProfileName};

/// All places and processors of an installation, and the law over them.
#[derive(Debug, Clone)]
pub struct Residency {
    settings: ResidencySettings,
    regimes: Vec<Regime>,
    /// Of the machine itself, where all seats are in one country.
    local: Option<Country>,
    seats: usize,
    /// Each with what is there: outbound MTAs, database servers.
    hosts: Vec<(PlaceKind, String)>,
}

impl Residency {
    /// `seats` are the controllers' countries, `default` the policy profile where none is known; `hosts` the
    /// outbound MTAs and database servers.
    pub fn new(settings: &ResidencySettings, seats: &[Option<Country>], default: ProfileName, hosts: Vec<(PlaceKind, String)>) -> Self {
        let known: HashSet<Country> = seats.iter().flatten().copied().collect();
        let local = known.iter().next().copied().filter(|_| known.len() == 1);
        // The law on transfers follows the seat of the controller (GDPR Art. 3(1)).
        let profiles: HashSet<ProfileName> =
            seats.iter().map(|seat| if seat.is_some() { ProfileName::of(*seat) } else { default }).collect();
        let over = |regime: &Regime| regime.profiles.iter().any(|name| profiles.contains(name));
        let regimes = Regime::built_in().into_iter().filter(over).collect();
        Self { settings: settings.clone(), regimes, local, seats: known.len(), hosts }
    }

    /// The laws on transfers that apply.
    pub fn regimes(&self) -> &[Regime] {
        &self.regimes
    }

    /// Who processes on the controllers' behalf.
    pub fn processors(&self) -> &[Processor] {
        &self.settings.processors
    }

    /// Who runs that place; `None` where the controller does.
    pub fn processor(&self, place: &Place) -> Option<&Processor> {
        self.settings.processors.iter().find(|processor| Some(&processor.key) == place.processor.as_ref())
    }

    /// Every place: as declared, and what is on this machine where nothing is said of it (S1-03).
    pub fn places(&self) -> Vec<Place> {
        let mut places = Vec::new();
        let declared = |what: PlaceKind| self.settings.places.iter().any(|place| place.what == what);
        let local = |what, host| self.local.map(|country| Place::local(what, host, country));
        if !declared(PlaceKind::Data) {
            places.extend(local(PlaceKind::Data, None));
        }
        places.extend(self.settings.places.iter().cloned());
        for (what, host) in self.hosts.iter().filter(|(what, host)| is_local(host) && !self.declares(*what, host)) {
            places.extend(local(*what, Some(host.clone())));
        }
        if !declared(PlaceKind::Keys) {
            // they are files of `data_dir`
            let beside = places.iter().find(|place| place.what == PlaceKind::Data).cloned();
            places.extend(beside.map(|place| Place { what: PlaceKind::Keys, ..place }));
        }
        places.sort_by_key(|place| place.what as u8);
        places
    }

    /// What nobody said and an auditor will ask for, each with the mend.
    pub fn gaps(&self) -> Vec<&'static str> {
        let declared = |what: PlaceKind| self.settings.places.iter().any(|place| place.what == what);
        let gaps = [
            (
                self.local.is_none() && !declared(PlaceKind::Data),
                "no controller says its country, so nobody knows where data_dir is; write country",
            ),
            (
                !declared(PlaceKind::Backup),
                "where backups of the ledger are is not declared (S1-03); write [[residency.place]] what = \"backup\"",
            ),
            (
                !declared(PlaceKind::KeyBackup),
                "where backups of the keys are is not declared (S1-03); write [[residency.place]] what = \"key-backup\"",
            ),
        ];
        gaps.into_iter().filter(|(is_gap, _)| *is_gap).map(|(_, gap)| gap).collect()
    }

    /// All that is not allowed, each with its place and the mend.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let declared = &self.settings.places;
        if self.seats > 1 && !declared.iter().any(|place| place.what == PlaceKind::Data) {
            faults.push(
                "residency: the controllers have seats in several countries, so say where data_dir is: [[residency.place]] what = \"data\""
                    .to_owned(),
            );
        }
        for (what, host) in self.hosts.iter().filter(|(what, host)| !is_local(host) && !self.declares(*what, host)) {
            let what = what.as_str();
            faults.push(format!(
                "residency: nobody says in which country {what} {host:?} is; write [[residency.place]] what = {what:?}, host = {host:?}, country"
            ));
        }
        let mut seen = HashSet::new();
        for processor in &self.settings.processors {
            if !seen.insert(&processor.key) {
                faults.push(format!("residency: two processors have key = {:?}", processor.key));
            }
            faults.extend(self.processor_faults(processor).into_iter().map(|f| format!("residency: processor {:?}: {f}", processor.key)));
        }
        for place in declared {
            faults.extend(self.declaration_faults(place).into_iter().map(|fault| format!("residency: {}: {fault}", place.name())));
        }
        for place in self.places().iter().filter(|place| place.what != PlaceKind::Keys || declared.contains(place)) {
            for regime in &self.regimes {
                let fault = self.transfer_fault(place, regime);
                faults.extend(fault.map(|fault| format!("residency: {}: {fault}", place.name())));
            }
        }
        faults
    }

    fn declares(&self, what: PlaceKind, host: &str) -> bool {
        let named = |place: &Place| place.host.as_deref().is_none_or(|named| named.eq_ignore_ascii_case(host));
        self.settings.places.iter().any(|place| place.what == what && named(place))
    }

    fn processor_faults(&self, processor: &Processor) -> Vec<String> {
        let mut faults = Vec::new();
        // GDPR Art. 28(3): no processing without a contract (S1-04)
        for (field, value) in [("contract", &processor.contract), ("name", &processor.name), ("purpose", &processor.purpose)] {
            if value.trim().is_empty() {
                faults.push(format!("{field} is empty; the record of processing must say it (GDPR Art. 28(3), 30)"));
            }
        }
        let foreign = |regime: &&Regime| {
            matches!(regime.standing(processor.controlled_from), Standing::Third | Standing::Adequate(Adequacy { condition: Some(_), .. }))
        };
        if self.settings.foreign_control == ForeignControl::Refuse && self.regimes.iter().any(|regime| foreign(&regime)) {
            // S2-03: authorities there may reach the data wherever it is
            faults.push(format!(
                "is controlled from {}, which foreign_control = \"refuse\" does not allow; choose another, or write \"record\"",
                processor.controlled_from.as_str()
            ));
        }
        faults
    }

    fn declaration_faults(&self, place: &Place) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(key) = place.processor.as_ref().filter(|_| self.processor(place).is_none()) {
            faults.push(format!("processor = {key:?} is no [[residency.processor]] key"));
        }
        match (place.what, &place.host) {
            (what @ (PlaceKind::Outbound | PlaceKind::Database), Some(host)) => {
                if !self.hosts.iter().any(|(is, own)| *is == what && own.eq_ignore_ascii_case(host)) {
                    let named = if what == PlaceKind::Outbound { "outbound MTA" } else { "host of [database]" };
                    faults.push(format!("host = {host:?} is no {named}"));
                }
            }
            (_, None) => {}
            (_, Some(_)) => faults.push("host is for what = \"outbound\" and \"database\"".to_owned()),
        }
        faults
    }

    fn transfer_fault(&self, place: &Place, regime: &Regime) -> Option<String> {
        let country = place.country.as_str();
        let standing = regime.standing(place.country);
        if matches!(standing, Standing::Home) {
            let strange = matches!(place.basis, Some(Basis::Adequacy | Basis::Scc)) && self.regimes.len() == 1;
            return strange.then(|| format!("{country} needs no transfer basis; take basis out, or mend the country"));
        }
        if place.what.is_storage() && self.settings.storage == StorageRule::Home {
            return Some(format!(
                "{country} is a third country, where nothing is stored (S1-02); move it, or write residency.storage = \"lawful\" and its basis"
            ));
        }
        let empty = |text: &Option<String>| text.as_deref().is_none_or(|text| text.trim().is_empty());
        match (place.basis, standing) {
            (None | Some(Basis::None | Basis::Eu), Standing::Adequate(entry)) => Some(format!(
                "{country} is a third country and no basis is given ({}); write basis = \"adequacy\", decision = {:?}, or basis = \"scc\"",
                regime.law, entry.decision
            )),
            (None | Some(Basis::None | Basis::Eu), _) => Some(format!(
                "{country} is a third country and no basis is given ({}); write basis = \"scc\" with measures and assessment, or move it",
                regime.law
            )),
            (Some(Basis::Adequacy), Standing::Adequate(entry)) => {
                if place.decision.as_deref().is_none_or(|decision| !decision.contains(&entry.decision)) {
                    return Some(format!("decision must name {:?}, which covers {country}", entry.decision));
                }
                let condition = entry.condition.as_ref().filter(|_| empty(&place.checked))?;
                Some(format!("{:?} has a condition: {condition}; write how and when it was checked: checked", entry.decision))
            }
            (Some(Basis::Adequacy), _) => Some(format!(
                "no adequacy decision for {country} is known (as of {}); write basis = \"scc\" with measures and assessment",
                regime.reviewed
            )),
            (Some(Basis::Scc), _) if place.processor.is_none() => {
                Some("basis = \"scc\" is a contract: write with which processor".to_owned())
            }
            // CJEU C-311/18: clauses do not bind the authorities there (S2-05)
            (Some(Basis::Scc), _) if place.measures.iter().all(|measure| measure.trim().is_empty()) || empty(&place.assessment) => {
                Some("standard contractual clauses alone are not enough (CJEU C-311/18); write measures and assessment, too".to_owned())
            }
            (Some(Basis::Scc), _) => None,
        }
    }
}

impl Place {
    fn local(what: PlaceKind, host: Option<String>, country: Country) -> Self {
        let (site, processor, basis, decision) = (None, None, None, None);
        Self { what, host, country, site, processor, basis, decision, checked: None, assessment: None, measures: Vec::new() }
    }

    /// How faults name it.
    fn name(&self) -> String {
        let host = self.host.as_deref().map(|host| format!(" {host:?}")).unwrap_or_default();
        format!("place {:?}{host}", self.what.as_str())
    }
}

/// True for this machine itself, be it by a socket.
fn is_local(host: &str) -> bool {
    if host.starts_with('/') {
        return true;
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
