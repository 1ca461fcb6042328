//! The texts and mails that are built in. A new file of `templates/text` or `templates/mail` needs
//! its line here and nothing else.

use crate::consent::Language;

macro_rules! text {
    ($name:literal) => {
        include_str!(concat!("../../templates/text/", $name))
    };
}

macro_rules! mail {
    ($name:literal) => {
        ($name, include_str!(concat!("../../templates/mail/", $name)))
    };
}

/// What people read who open a link of a mail. Every language has all of these texts, and the operator may change them.
pub(super) const PEOPLE: &[(Language, &str)] = &[(Language::DE, text!("de.toml")), (Language::EN, text!("en.toml"))];

/// What those read who work with the gateway: `admin.de.toml` and `admin.en.toml`, in no other language and as built in.
pub(super) const STAFF: &[(Language, &str)] = &[(Language::DE, text!("admin.de.toml")), (Language::EN, text!("admin.en.toml"))];

/// The mails, by the names of their files.
pub(super) const MAILS: &[(&str, &str)] = &[
    mail!("access.de.txt"),
    mail!("access.en.txt"),
    mail!("confirm.de.txt"),
    mail!("confirm.en.txt"),
    mail!("footer.de.txt"),
    mail!("footer.en.txt"),
    mail!("footer.de.html"),
    mail!("footer.en.html"),
];

/// What the files of mails are called.
pub(super) const MAIL_NAMES: [&str; 4] =
    ["access.<language>.txt", "confirm.<language>.txt", "footer.<language>.txt", "footer.<language>.html"];

/// The mails that a language needs.
pub(super) fn mails_of(language: Language) -> [String; 4] {
    MAIL_NAMES.map(|name| name.replace("<language>", language.as_str()))
}
