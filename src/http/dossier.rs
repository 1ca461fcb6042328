//! All that is stored about a person as a download, sent while it is read.

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use crate::desk::{Dossier, StoreError};

/// The document as a file. An error breaks the download off: a file that looks whole is whole. The name of the file says
/// nothing about the person (I8).
pub(super) fn download(dossier: Dossier) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"personal-data.json\""),
    ];
    (headers, Body::from_stream(stream::unfold(Some(dossier), go))).into_response()
}

async fn go(dossier: Option<Dossier>) -> Option<(Result<Bytes, StoreError>, Option<Dossier>)> {
    let mut dossier = dossier?;
    match dossier.piece().await {
        Ok(piece) => Some((Ok(piece?.into()), Some(dossier))),
        Err(error) => {
            tracing::error!(%error, "a download of personal data broke off");
            Some((Err(error), None))
        }
    }
}
