//! SCRAM against an independent client, and over random passwords and tampering.

use daypass_wire::scram::{
    ClientBinding, ClientExchange, ClientSecret, Mechanism, Nonce, ScramError, ScramVerifier, ServerBinding,
    ServerExchange, mock_verifier,
};
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use proptest::prelude::*;

fn verifier(password: &[u8], salt: [u8; 16]) -> ScramVerifier {
    ScramVerifier::from_password(password, salt, 64).unwrap()
}

/// The client of `postgres-protocol` against our server.
fn their_client(
    password: &[u8],
    theirs: ChannelBinding,
    mechanism: Mechanism,
    server: ServerExchange,
) -> Result<(), ScramError> {
    let mut client = ScramSha256::new(password, theirs);
    let (server, challenge) = server.client_first(mechanism, client.message())?;
    client.update(&challenge).unwrap();
    let last = server.client_final(client.message())?;
    client.finish(&last).expect("their client checks our signature");
    Ok(())
}

fn our_client(
    password: &[u8],
    nonces: [[u8; 18]; 2],
    binding: ClientBinding,
    verifier: ScramVerifier,
    offered: ServerBinding,
) -> Result<(), ScramError> {
    let mechanism = binding.mechanism();
    let (client, first) =
        ClientExchange::start(ClientSecret::password(password), Nonce::from_random(nonces[0]), binding);
    let server = ServerExchange::new(verifier, Nonce::from_random(nonces[1]), offered);
    let (server, challenge) = server.client_first(mechanism, &first)?;
    let (client, last) = client.server_first(&challenge)?;
    client.server_final(&server.client_final(&last)?)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn an_independent_client_gets_in(password in "[ -~]{1,80}", salt: [u8; 16], nonce: [u8; 18], hash: [u8; 32]) {
        let password = password.as_bytes();
        let server = |binding| ServerExchange::new(verifier(password, salt), Nonce::from_random(nonce), binding);
        let plain = Mechanism::ScramSha256;
        prop_assert_eq!(their_client(password, ChannelBinding::unsupported(), plain, server(ServerBinding::Unavailable)), Ok(()));
        prop_assert_eq!(their_client(password, ChannelBinding::unrequested(), plain, server(ServerBinding::Unavailable)), Ok(()));
        let offered = server(ServerBinding::Offered(hash.to_vec()));
        let end_point = ChannelBinding::tls_server_end_point(hash.to_vec());
        prop_assert_eq!(their_client(password, end_point, Mechanism::ScramSha256Plus, offered), Ok(()));
        let offered = server(ServerBinding::Offered(hash.to_vec()));
        prop_assert_eq!(their_client(password, ChannelBinding::unrequested(), plain, offered), Err(ScramError::Downgrade));
    }

    #[test]
    fn both_of_our_sides_meet(password: Vec<u8>, salt: [u8; 16], nonces: [[u8; 18]; 2], hash: [u8; 32], other: [u8; 32]) {
        let meet = |client, server| our_client(&password, nonces, client, verifier(&password, salt), server);
        let hash = hash.to_vec();
        prop_assert_eq!(meet(ClientBinding::Unsupported, ServerBinding::Unavailable), Ok(()));
        prop_assert_eq!(meet(ClientBinding::NotOffered, ServerBinding::Unavailable), Ok(()));
        prop_assert_eq!(meet(ClientBinding::ServerEndPoint(hash.clone()), ServerBinding::Required(hash.clone())), Ok(()));
        prop_assume!(hash != other);
        let result = meet(ClientBinding::ServerEndPoint(other.to_vec()), ServerBinding::Offered(hash));
        prop_assert_eq!(result, Err(ScramError::BindingMismatch));
    }

    #[test]
    fn another_password_or_a_mock_never_gets_in(password: Vec<u8>, wrong: Vec<u8>, salt: [u8; 16], nonces: [[u8; 18]; 2], secret: [u8; 32]) {
        // HMAC pads its key with zeros, so passwords that differ only in trailing zeros are the same password.
        let trimmed = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        prop_assume!(password[..trimmed(&password)] != wrong[..trimmed(&wrong)]);
        let result = our_client(&wrong, nonces, ClientBinding::Unsupported, verifier(&password, salt), ServerBinding::Unavailable);
        prop_assert_eq!(result, Err(ScramError::WrongProof));
        let mock = mock_verifier(&secret, "nobody");
        let result = our_client(&password, nonces, ClientBinding::Unsupported, mock, ServerBinding::Unavailable);
        prop_assert_eq!(result, Err(ScramError::WrongProof));
    }

    #[test]
    fn a_flipped_bit_in_the_final_never_gets_in(salt: [u8; 16], nonces: [[u8; 18]; 2], at: prop::sample::Index, bit in 0u8..8) {
        let (client, first) =
            ClientExchange::start(ClientSecret::password(b"pw"), Nonce::from_random(nonces[0]), ClientBinding::Unsupported);
        let server = ServerExchange::new(verifier(b"pw", salt), Nonce::from_random(nonces[1]), ServerBinding::Unavailable);
        let (server, challenge) = server.client_first(Mechanism::ScramSha256, &first).unwrap();
        let (_, mut last) = client.server_first(&challenge).unwrap();
        let at = at.index(last.len());
        last[at] ^= 1 << bit;
        prop_assert!(server.client_final(&last).is_err());
    }

    #[test]
    fn random_bytes_never_panic(bytes: Vec<u8>, tail in "[ -~]{0,60}") {
        let text = [b"n,,n=,r=", tail.as_bytes()].concat();
        for message in [&bytes, &text] {
            let server = ServerExchange::new(verifier(b"pw", [0; 16]), Nonce::from_random([0; 18]), ServerBinding::Unavailable);
            if let Ok((server, _)) = server.client_first(Mechanism::ScramSha256, message) {
                prop_assert!(server.client_final(&bytes).is_err());
            }
            let (client, _) = ClientExchange::start(ClientSecret::password(b"pw"), Nonce::from_random([0; 18]), ClientBinding::NotOffered);
            prop_assert!(client.server_first(message).is_err());
            let _ = daypass_wire::scram::server_end_point(message);
            let _ = tail.parse::<ScramVerifier>();
        }
    }
}
