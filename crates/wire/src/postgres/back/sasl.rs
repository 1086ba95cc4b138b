//! Which mechanism to take of those that a target offers.

use super::{BackError, Method, TlsBinding};
use crate::postgres::read::Reader;
use crate::scram::{ClientBinding, Mechanism};

/// The binding to use, from the body of AuthenticationSASL.
pub(super) fn choose(data: &[u8], binding: TlsBinding) -> Result<ClientBinding, BackError> {
    let mut reader = Reader::new(data);
    let (mut plain, mut plus) = (None, None);
    loop {
        let name = reader.text("the end of the mechanisms")?;
        if name.is_empty() {
            break;
        }
        match Mechanism::from_name(name) {
            Some(offered @ Mechanism::ScramSha256) => plain = Some(offered),
            Some(offered @ Mechanism::ScramSha256Plus) => plus = Some(offered),
            None => {}
        }
    }
    match (binding, plus, plain) {
        (TlsBinding::EndPoint(hash), Some(_), _) => Ok(ClientBinding::ServerEndPoint(hash)),
        // Flag `y`: an honest target that did offer it sees that somebody took the offer away.
        (TlsBinding::EndPoint(_), None, Some(_)) => Ok(ClientBinding::NotOffered),
        (TlsBinding::Unavailable, _, Some(_)) => Ok(ClientBinding::Unsupported),
        (TlsBinding::EndPoint(_), None, None) | (TlsBinding::Unavailable, _, None) => {
            Err(BackError::NotScram(Method::Sasl))
        }
    }
}
