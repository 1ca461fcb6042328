//! The operator's own files: texts and templates that add to the embedded ones or stand in for them, for
//! all controllers or for one, and logos. Finding them on disk is left to `config`; judging them to who uses them.

use std::collections::BTreeMap;

use super::Logo;

/// What a file is, and the directory it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `text/<language>.toml`: the words of the pages.
    Text,
    /// `web/<page>.html`: a page.
    Web,
    /// `mail/access.<language>.txt`, `mail/confirm.<language>.txt`, `mail/footer.<language>.txt` and `.html`.
    Mail,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Text, Self::Web, Self::Mail];

    /// Name of the directory.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Web => "web",
            Self::Mail => "mail",
        }
    }
}

/// Whose file it is: `None` for all controllers', else the controller's key.
type Owner = Option<String>;

/// The operator's files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    files: BTreeMap<(Kind, Owner, String), String>,
    logos: BTreeMap<String, Logo>,
}

/// One text or template of them.
#[derive(Debug, Clone, Copy)]
pub struct Override<'a> {
    /// The controller it is for; `None` for all.
    pub controller: Option<&'a str>,
    /// Its name, without directories.
    pub name: &'a str,
    /// What it holds.
    pub text: &'a str,
}

impl Overrides {
    /// Adds a file.
    pub fn add(&mut self, controller: Option<&str>, kind: Kind, name: &str, text: String) {
        self.files.insert((kind, controller.map(str::to_owned), name.to_owned()), text);
    }

    /// Adds a controller's logo.
    pub fn add_logo(&mut self, controller: &str, logo: Logo) {
        self.logos.insert(controller.to_owned(), logo);
    }

    /// The controller's logo.
    pub fn logo(&self, controller: &str) -> Option<&Logo> {
        self.logos.get(controller)
    }

    /// True without any text or template.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The files of that kind; those for all controllers come first.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = Override<'_>> {
        let files = self.files.iter().filter(move |((is, _, _), _)| *is == kind);
        files.map(|((_, controller, name), text)| Override { controller: controller.as_deref(), name, text })
    }

    /// The controllers that have files of their own.
    pub fn controllers(&self) -> impl Iterator<Item = &str> {
        self.files.keys().filter_map(|(_, controller, _)| controller.as_deref())
    }

    /// The path of the file that counts for `controller`, its own or the one for all (which may be the embedded one).
    pub fn path(&self, controller: Option<&str>, kind: Kind, name: &str) -> String {
        let own = controller.filter(|controller| self.has(Some(controller), kind, name));
        path(own, kind, name)
    }

    /// Whether that very file is there.
    pub fn has(&self, controller: Option<&str>, kind: Kind, name: &str) -> bool {
        self.files.contains_key(&(kind, controller.map(str::to_owned), name.to_owned()))
    }
}

impl Override<'_> {
    /// Its path below the operator's directory.
    pub fn path(&self, kind: Kind) -> String {
        path(self.controller, kind, self.name)
    }
}

fn path(controller: Option<&str>, kind: Kind, name: &str) -> String {
    match controller {
        Some(controller) => format!("{controller}/{}/{name}", kind.as_str()),
        None => format!("{}/{name}", kind.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controllers_own_file_counts_before_the_one_for_all() {
        let mut overrides = Overrides::default();
        overrides.add(Some("acme"), Kind::Web, "confirm.html", "own".into());
        overrides.add(None, Kind::Web, "confirm.html", "all".into());
        assert_eq!(overrides.path(Some("acme"), Kind::Web, "confirm.html"), "acme/web/confirm.html");
        assert_eq!(overrides.path(Some("globex"), Kind::Web, "confirm.html"), "web/confirm.html");
        assert_eq!(overrides.path(None, Kind::Web, "confirm.html"), "web/confirm.html");
        let order: Vec<_> = overrides.of(Kind::Web).map(|file| file.path(Kind::Web)).collect();
        assert_eq!(order, ["web/confirm.html", "acme/web/confirm.html"]);
        assert_eq!(overrides.of(Kind::Mail).count(), 0);
    }
}
