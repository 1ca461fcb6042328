//! `consentry request`: the register of requests by persons on the command line (GDPR Art. 12). Works beside the running gateway;
//! the table of roles holds as at `/admin/requests`.

use anyhow::{Context, bail};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::acting::{Acting, Login};
use super::rules::open;
use crate::consent::{RequestDoor, RequestId, RequestStep, Right, RightsRequest, Urgency};
use crate::mail::Address;
use crate::office::{ByHand, RequestFilter};

/// Closed requests listed.
const LISTED: u32 = 1_000;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lists what waits for an answer, the most urgent first.
    List {
        #[command(flatten)]
        config: super::Config,
        #[command(flatten)]
        login: Login,
        /// Of this controller only.
        #[arg(long, default_value = "")]
        controller: String,
        /// About this right only.
        #[arg(long)]
        right: Option<String>,
        /// The closed ones, too, newest first.
        #[arg(long)]
        closed: bool,
    },
    /// Enters what came by letter, e-mail or telephone.
    Open(Box<Open>),
    /// Notes doubts who asks, and what more was asked of the person (GDPR Art. 12(6)).
    Doubt(Step),
    /// Notes that the doubts are gone.
    Prove(Step),
    /// Extends the term by two months, once; the person must be told the reasons (GDPR Art. 12(3)).
    Extend(Step),
    /// Closes it as answered, for what was done elsewhere.
    Answer(Step),
    /// Closes it as refused; the person must be told why, and where to complain (GDPR Art. 12(4), (5)).
    Refuse(Step),
}

#[derive(Debug, clap::Args)]
pub(super) struct Open {
    #[command(flatten)]
    config: super::Config,
    #[command(flatten)]
    acting: Acting,
    /// The address that the person gave; it is looked up and not kept.
    #[arg(long)]
    email: Option<String>,
    /// Key of the controller that must answer.
    #[arg(long)]
    controller: String,
    /// `access`, `rectification`, `erasure`, `restriction`, `portability` or `objection`.
    #[arg(long)]
    right: String,
    /// `letter`, `email` or `phone`.
    #[arg(long, default_value = "letter")]
    by: String,
    /// The day when it came in, e.g. `2026-05-03`; today where it is not given.
    #[arg(long)]
    received: Option<Date>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Step {
    #[command(flatten)]
    config: super::Config,
    /// As in the list.
    id: String,
    #[command(flatten)]
    acting: Acting,
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let now = Timestamp::now();
    match command {
        Command::List { config, login, controller, right, closed } => {
            let right = right.as_deref().map(parse_right).transpose()?;
            let (_, office, store) = open(&config.config).await?;
            let operator = login.prove(&office, now).await?;
            let filter = RequestFilter { controller, right };
            for request in office.open_requests(&operator, &filter).await? {
                println!("{}", line(&request, now));
            }
            if closed {
                for request in office.closed_requests(&operator, &filter, None, LISTED).await? {
                    println!("{}", line(&request, now));
                }
            }
            store.close().await;
        }
        Command::Open(new) => {
            let right = parse_right(&new.right)?;
            let door = RequestDoor::parse(&new.by).filter(|door| RequestDoor::BY_HAND.contains(door));
            let door = door.with_context(|| format!("--by {:?}: write letter, email or phone", new.by))?;
            let address = new.email.as_deref().map(|text| Address::parse(text.trim())).transpose().context("--email")?;
            let received = match new.received {
                Some(day) => day.to_zoned(TimeZone::UTC).context("--received")?.timestamp(),
                None => now,
            };
            let (config, office, store) = open(&new.config.config).await?;
            if config.catalogue().controller(&new.controller).is_none() {
                bail!("--controller {:?}: there is none of that key in the configuration", new.controller);
            }
            let operator = new.acting.prove(&office, now).await?;
            let (controller, why) = (new.controller.as_str(), new.acting.reason.as_str());
            let by_hand = ByHand { address: address.as_ref(), controller, right, door, received, why };
            let id = office.enter_request(&operator, by_hand, now).await?;
            println!("{id}\tdue {}", RightsRequest::due(received, false));
            store.close().await;
        }
        Command::Doubt(step) => take(step, RequestStep::IdentityDoubted, now).await?,
        Command::Prove(step) => take(step, RequestStep::IdentityProven, now).await?,
        Command::Extend(step) => take(step, RequestStep::Extended, now).await?,
        Command::Answer(step) => take(step, RequestStep::Answered, now).await?,
        Command::Refuse(step) => take(step, RequestStep::Refused, now).await?,
    }
    Ok(())
}

async fn take(arguments: Step, step: RequestStep, now: Timestamp) -> anyhow::Result<()> {
    let id =
        RequestId::parse(&arguments.id).with_context(|| format!("{:?} is no id of a request: see consentry request list", arguments.id))?;
    let (_, office, store) = open(&arguments.config.config).await?;
    let operator = arguments.acting.prove(&office, now).await?;
    office.step_request(&operator, id, step, &arguments.acting.reason, now).await?;
    let request = office.request(&operator, id).await?.context("the request is gone")?;
    println!("{}", line(&request, now));
    store.close().await;
    Ok(())
}

/// Nothing that anybody wrote: a terminal keeps what it shows.
fn line(request: &RightsRequest, now: Timestamp) -> String {
    let state = match (request.closed(), request.urgency(now)) {
        (Some(closed), _) => closed.step.as_str(),
        (None, Urgency::Overdue) => "OVERDUE",
        (None, Urgency::Soon) => "due soon",
        (None, Urgency::Later) => "open",
    };
    let extended = if request.is_extended() { ", extended" } else { "" };
    let doubted = if request.is_doubted() { ", identity doubted" } else { "" };
    let by = request.steps.last().and_then(|taken| taken.by.as_deref()).unwrap_or("-");
    let subject = request.subject.map_or_else(|| "-".to_owned(), |subject| subject.to_string());
    format!(
        "{}\t{state}{extended}{doubted}\tdue {}\t{} to {}\tby {}\tsubject {subject}\tlast {by}",
        request.id,
        request.due_on(),
        request.right.as_str(),
        request.controller,
        request.door.as_str()
    )
}

fn parse_right(word: &str) -> anyhow::Result<Right> {
    Right::parse(word).with_context(|| format!("--right {word:?}: write one of {}", Right::ALL.map(Right::as_str).join(", ")))
}
