//! Stamps on forms: proof that we showed the form, and when. A post without one was made by something that never looked;
//! one that comes too fast, by something that did not read. Nothing is stored for it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq;

use super::Desk;

/// How long a form may lie open before it has to be shown anew.
const LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// Octets of the MAC that are kept: 128 bit.
const MAC: usize = 16;

impl Desk {
    /// A stamp for a form shown at `now`; `purpose` says which form, and whatever else it is bound to.
    pub fn stamp(&self, purpose: &str, now: Timestamp) -> String {
        let ms = now.as_millisecond().to_be_bytes();
        URL_SAFE_NO_PAD.encode([&ms[..], &self.stamp_mac(purpose, ms)].concat())
    }

    /// Milliseconds since the form was shown; `None` for a stamp that is missing, of another form, or too old.
    pub fn shown_ms_ago(&self, purpose: &str, stamp: &str, now: Timestamp) -> Option<u64> {
        let octets = URL_SAFE_NO_PAD.decode(stamp).ok()?;
        let (&ms, mac) = octets.split_first_chunk::<8>()?;
        if !bool::from(self.stamp_mac(purpose, ms).ct_eq(mac)) {
            return None;
        }
        let ago = now.duration_since(Timestamp::from_millisecond(i64::from_be_bytes(ms)).ok()?);
        (ago <= LIFETIME).then(|| u64::try_from(ago.as_millis()).unwrap_or(0))
    }

    fn stamp_mac(&self, purpose: &str, ms: [u8; 8]) -> [u8; MAC] {
        let claim = [b"stamp\0", purpose.as_bytes(), b"\0", &ms[..]].concat();
        let mut mac = [0; MAC];
        mac.copy_from_slice(&self.inner.store.keyring().secret_key(&claim)[..MAC]);
        mac
    }
}
