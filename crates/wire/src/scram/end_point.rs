//! `tls-server-end-point` (RFC 5929, section 4): a hash of the server's certificate, with the hash of the certificate's own signature.

use aws_lc_rs::digest::{self, Algorithm, SHA256, SHA384, SHA512};

use super::ScramError;

const NOT_DER: ScramError = ScramError::Certificate("it isn't DER");

/// The channel binding data for a certificate in DER.
///
/// MD5 and SHA-1 are replaced by SHA-256, as the RFC says.
///
/// # Errors
/// [`ScramError::Certificate`] when it isn't a certificate, or when its signature algorithm names no hash that we know (Ed25519).
pub fn server_end_point(certificate_der: &[u8]) -> Result<Vec<u8>, ScramError> {
    let algorithm = signature_hash(certificate_der)?;
    Ok(digest::digest(algorithm, certificate_der).as_ref().to_vec())
}

/// `Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }` (RFC 5280).
fn signature_hash(der: &[u8]) -> Result<&'static Algorithm, ScramError> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (_, rest) = element(certificate, SEQUENCE)?;
    let (algorithm, _) = element(rest, SEQUENCE)?;
    let (oid, parameters) = element(algorithm, OID)?;
    match oid {
        RSA_MD5 | RSA_SHA1 | ECDSA_SHA1 | RSA_SHA256 | ECDSA_SHA256 => Ok(&SHA256),
        RSA_SHA384 | ECDSA_SHA384 => Ok(&SHA384),
        RSA_SHA512 | ECDSA_SHA512 => Ok(&SHA512),
        RSA_PSS => pss_hash(parameters),
        _ => Err(ScramError::Certificate("its signature algorithm names no hash")),
    }
}

/// `RSASSA-PSS-params` (RFC 4055): `hashAlgorithm [0]`, SHA-1 by default.
fn pss_hash(parameters: &[u8]) -> Result<&'static Algorithm, ScramError> {
    let (parameters, _) = element(parameters, SEQUENCE)?;
    let Ok((hash, _)) = element(parameters, CONTEXT_0) else {
        return Ok(&SHA256);
    };
    let (hash, _) = element(hash, SEQUENCE)?;
    match element(hash, OID)?.0 {
        HASH_SHA1 | HASH_SHA256 => Ok(&SHA256),
        HASH_SHA384 => Ok(&SHA384),
        HASH_SHA512 => Ok(&SHA512),
        _ => Err(ScramError::Certificate("its PSS signature uses an unknown hash")),
    }
}

/// The contents of the element at the start, which must have this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Result<(&[u8], &[u8]), ScramError> {
    let [found, first, rest @ ..] = der else {
        return Err(NOT_DER);
    };
    if *found != tag {
        return Err(NOT_DER);
    }
    let (len, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long => {
            let octets = usize::from(long & 0x7f);
            if !(1..=4).contains(&octets) || rest.len() < octets {
                return Err(NOT_DER);
            }
            let (len, rest) = rest.split_at(octets);
            (len.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)), rest)
        }
    };
    rest.split_at_checked(len).ok_or(NOT_DER)
}

const SEQUENCE: u8 = 0x30;
const OID: u8 = 0x06;
const CONTEXT_0: u8 = 0xa0;

// 1.2.840.113549.1.1.x
const RSA_MD5: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4];
const RSA_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5];
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
const RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
const RSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12];
const RSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13];
// 1.2.840.10045.4.x
const ECDSA_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1];
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const ECDSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
const ECDSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4];
// 1.3.14.3.2.26, 2.16.840.1.101.3.4.2.x
const HASH_SHA1: &[u8] = &[0x2b, 0x0e, 3, 2, 0x1a];
const HASH_SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const HASH_SHA384: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2];
const HASH_SHA512: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];

#[cfg(test)]
mod tests {
    use super::*;

    fn wrap(tag: u8, contents: &[u8]) -> Vec<u8> {
        let mut out = vec![tag];
        match contents.len() {
            short @ 0..=0x7f => out.push(u8::try_from(short).unwrap()),
            long => {
                out.push(0x82);
                out.extend(u16::try_from(long).unwrap().to_be_bytes());
            }
        }
        out.extend_from_slice(contents);
        out
    }

    fn certificate(algorithm: &[u8]) -> Vec<u8> {
        let tbs = wrap(SEQUENCE, &[0; 300]);
        wrap(SEQUENCE, &[tbs, wrap(SEQUENCE, algorithm), wrap(3, &[0; 65])].concat())
    }

    #[test]
    fn hash_is_the_signatures() {
        let pss = |hash: &[u8]| {
            [wrap(OID, RSA_PSS), wrap(SEQUENCE, &wrap(CONTEXT_0, &wrap(SEQUENCE, &wrap(OID, hash))))].concat()
        };
        for (algorithm, expected) in [
            (wrap(OID, ECDSA_SHA256), &SHA256),
            (wrap(OID, ECDSA_SHA384), &SHA384),
            (wrap(OID, RSA_SHA512), &SHA512),
            (wrap(OID, RSA_SHA1), &SHA256),
            (pss(HASH_SHA384), &SHA384),
            ([wrap(OID, RSA_PSS), wrap(SEQUENCE, &[])].concat(), &SHA256),
        ] {
            let der = certificate(&algorithm);
            assert_eq!(server_end_point(&der).unwrap(), digest::digest(expected, &der).as_ref());
        }
    }

    #[test]
    fn ed25519_and_rubbish_have_none() {
        assert!(server_end_point(&certificate(&wrap(OID, &[0x2b, 0x65, 0x70]))).is_err());
        let good = certificate(&wrap(OID, ECDSA_SHA256));
        for len in 0..300 {
            assert!(server_end_point(&good[..len]).is_err());
        }
    }
}
