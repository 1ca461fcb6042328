//! From a page to a response, for all public pages: language, status, and the ledger being away.

use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::brand::Look;
use super::content::Content;
use super::page::Page;
use super::pages::Pages;
use super::problem::Problem;
use super::visitor::Visitor;
use crate::consent::{Controller, Language};
use crate::desk::{Desk, StoreError};

/// What the handlers of public pages work with; cheap to clone.
#[derive(Clone)]
pub(super) struct Answers {
    /// Where questions go.
    pub(super) desk: Desk,
    pages: Arc<Pages>,
}

impl Answers {
    pub(super) fn new(desk: Desk, pages: Pages) -> Self {
        Self { desk, pages: Arc::new(pages) }
    }

    /// The look of that controller; `None` when it has the common one.
    pub(super) fn look(&self, controller: &str) -> Option<&Look> {
        self.pages.looks().of(controller)
    }

    /// The language to answer in: the one the visitor wants most of those there are, else the controller's.
    pub(super) fn language(&self, visitor: &Visitor, controller: Option<&Controller>) -> Language {
        self.served(visitor.languages.iter().copied(), controller)
    }

    /// The first of `wanted` that the controller speaks, else its own.
    pub(super) fn served(&self, wanted: impl IntoIterator<Item = Language>, controller: Option<&Controller>) -> Language {
        self.pages.words().served(controller.map(|controller| controller.key.as_str()), wanted)
    }

    /// The page's HTML; an error is ours, logged here.
    pub(super) fn html(&self, page: Page, language: Language, controller: Option<&Controller>, content: &Content<'_>) -> Option<String> {
        let rendered = self.pages.render(page, language, controller, content);
        rendered.inspect_err(|error| tracing::error!(%error, template = page.template(), "page not rendered")).ok()
    }

    /// The page as an answer.
    pub(super) fn page(
        &self,
        page: Page,
        status: StatusCode,
        language: Language,
        controller: Option<&Controller>,
        content: &Content<'_>,
    ) -> Response {
        let language = self.pages.words().served(controller.map(|controller| controller.key.as_str()), [language]);
        match self.html(page, language, controller, content) {
            Some(html) => (status, [(header::CONTENT_LANGUAGE, language.as_str())], Html(html)).into_response(),
            None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }

    /// A page that belongs to no controller; a problem document under `/api/`.
    pub(super) fn refusal(&self, page: Page, status: StatusCode, visitor: &Visitor, path: &str) -> Response {
        if path.starts_with("/api/") {
            return Problem::new(status, "there is nothing under this path, or not with this method").into_response();
        }
        let language = self.language(visitor, self.desk.catalogue().controllers.first());
        self.page(page, status, language, None, &Content::default())
    }

    /// The ledger is away: nothing was changed, come back (DESIGN.md section 4).
    pub(super) fn unavailable(&self, visitor: &Visitor, error: &StoreError) -> Response {
        tracing::error!(%error, "the ledger did not answer a page");
        let mut response = self.refusal(Page::Unavailable, StatusCode::SERVICE_UNAVAILABLE, visitor, "");
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("60"));
        response
    }
}
