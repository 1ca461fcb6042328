//! What a message is: transactional or marketing, about which topic, and why we think so.

use std::fmt;

/// The class of a message; decides whether consent is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Asked for by the recipient's own act: receipts, resets, delivery notes. Needs no consent.
    Transactional,
    /// Advertising in the sense of UWG s.7 and L-AD-01; also everything that is not known to be
    /// something else (L-AD-06).
    Marketing,
    /// The gateway's own confirmation mail.
    Doi,
    /// The gateway's own reports.
    System,
}

impl Class {
    /// The one word used in the ledger, the log, the API and on pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transactional => "transactional",
            Self::Marketing => "marketing",
            Self::Doi => "doi",
            Self::System => "system",
        }
    }

    /// The inverse of [`Class::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Transactional, Self::Marketing, Self::Doi, Self::System].into_iter().find(|c| c.as_str() == word)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who said it, in the order of trust (DESIGN.md section 1, step 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trust {
    /// The stream's configuration, bound to a credential or a network.
    Credential,
    /// A header the sender wrote to declare it (`Consentry-Class`, an ESP's stream header).
    Declared,
    /// A standard list header (`List-Id`, `List-Unsubscribe`, `Precedence`).
    List,
    /// A mark that a known tool leaves.
    Tool,
    /// A rule of the operator.
    Rule,
    /// What the mail says, as the model reads it.
    Content,
    /// How many people get the same text.
    Crowd,
    /// Somebody who looked at it while it was held.
    Person,
    /// The shape of the message: a report by its structure.
    Structure,
    /// Nothing said anything: marketing (L-AD-06).
    Default,
}

impl Trust {
    /// One word for records and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Declared => "declared",
            Self::List => "list",
            Self::Tool => "tool",
            Self::Rule => "rule",
            Self::Content => "content",
            Self::Crowd => "crowd",
            Self::Person => "person",
            Self::Structure => "structure",
            Self::Default => "default",
        }
    }

    /// True for what is no more than likely: alone it refuses nothing, unless the stream says so.
    pub fn is_disputable(self) -> bool {
        matches!(self, Self::Content | Self::Crowd)
    }

    /// The inverse of [`Trust::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        const ALL: [Trust; 10] = [
            Trust::Credential,
            Trust::Declared,
            Trust::List,
            Trust::Tool,
            Trust::Rule,
            Trust::Content,
            Trust::Crowd,
            Trust::Person,
            Trust::Structure,
            Trust::Default,
        ];
        ALL.into_iter().find(|trust| trust.as_str() == word)
    }
}

/// One line of the explanation: who said what, on which evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Who said it.
    pub trust: Trust,
    /// The class that this step asks for.
    pub says: Class,
    /// Why, e.g. `header List-Unsubscribe`. Never a header's value: values may be personal (I8).
    pub why: String,
}

/// The result of classification, with its reasons (L-AD-07).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classification {
    /// The class that counts.
    pub class: Class,
    /// Dotted topic name; `None` where neither the message nor the stream names one.
    pub topic: Option<String>,
    /// The sender's name for the campaign, if any (S0-17).
    pub campaign: Option<String>,
    /// Why, in the order in which it was found; never empty.
    pub steps: Vec<Step>,
}

impl Classification {
    /// What speaks against it, when the mail counts as transactional although its content says otherwise, or cannot be judged, or
    /// very many get the same text (`class_disputed`). A person's word settles it.
    pub fn disputed_by(&self) -> Option<&Step> {
        let is_settled = self.class != Class::Transactional || self.steps.iter().any(|step| step.trust == Trust::Person);
        let speaks_against = |step: &&Step| step.trust.is_disputable() && step.says == Class::Marketing;
        self.steps.iter().find(speaks_against).filter(|_| !is_settled)
    }
}
