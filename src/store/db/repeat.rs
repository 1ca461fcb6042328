//! What a server takes back because two transactions waited for each other is done again. Everybody locks in one order (a person
//! before what hangs on it, several by their keys), so it is rare; it must not be an error that a person sees.

use crate::store::StoreError;

/// Attempts before it is an error after all.
const MOST: u32 = 5;

/// The attempts at one transaction.
#[derive(Default)]
pub(in crate::store) struct Attempts(u32);

impl Attempts {
    /// True where the server says that it collided with another one, and nothing of it was written.
    pub(in crate::store) fn may_go_on<T>(&mut self, result: &Result<T, StoreError>) -> bool {
        self.0 += 1;
        let collided = matches!(result, Err(error) if error.is_collision());
        if collided {
            tracing::info!(attempts = self.0, "a transaction met another one");
        }
        collided && self.0 < MOST
    }
}

/// The result of a transaction that is begun anew as often as it collides.
macro_rules! repeated {
    ($transaction:expr) => {{
        let mut attempts = $crate::store::db::Attempts::default();
        loop {
            let result = $transaction.await;
            if !attempts.may_go_on(&result) {
                break result;
            }
        }
    }};
}
pub(in crate::store) use repeated;
