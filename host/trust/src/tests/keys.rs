//! Keys survive their files, and open with their passphrase alone.

use runwrit_model::secret::Secret;

use super::*;
use crate::private_key::{PrivateKeyError, Salt};
use crate::public_key::PublicKey;

#[test]
fn both_types_survive_their_files_and_sign_for_their_public_half() {
    for algorithm in [Algorithm::P256, Algorithm::Ed25519] {
        let key = PrivateKey::generate(algorithm).unwrap();
        let passphrase = Secret::new("correct horse battery");
        let salt = Salt { salt: [7; 16], iv: [8; 16] };
        let locked = key.to_locked_pem(&passphrase, &salt).unwrap();
        assert!(PrivateKey::is_locked(locked.expose()));
        let opened = PrivateKey::from_pem(locked.expose(), Some(&passphrase)).unwrap();
        assert_eq!(opened.public(), key.public());
        let bare = key.to_bare_pem().unwrap();
        let again = PrivateKey::from_pem(bare.expose(), None).unwrap();
        let signature = again.sign(b"message").unwrap();
        assert!(key.public().verifies(b"message", &signature), "{algorithm}");
        assert!(!key.public().verifies(b"massage", &signature), "{algorithm}");
        let pem = key.public().to_pem();
        assert_eq!(PublicKey::from_pem(&pem).unwrap(), key.public());
        let told = [None, Some(Secret::new("wrong horse battery"))]
            .map(|passphrase| PrivateKey::from_pem(locked.expose(), passphrase.as_ref()).err());
        assert_eq!(told, [Some(PrivateKeyError::Locked), Some(PrivateKeyError::Passphrase)]);
        let short = key.to_locked_pem(&Secret::new("short"), &salt).err();
        assert_eq!(short, Some(PrivateKeyError::Short));
    }
}

#[test]
fn a_key_of_openssl_opens_here() {
    // The first one was made with the passphrase and `openssl pkcs8 -topk8 -scrypt`.
    let hint = PublicKey::from_pem(OPENSSL_PUBLIC).unwrap().hint();
    let passphrase = Secret::new("correct horse battery");
    let locked = PrivateKey::from_pem(OPENSSL_LOCKED, Some(&passphrase)).unwrap();
    assert_eq!(locked.public().hint(), hint);
    let edwards = PrivateKey::from_pem(OPENSSL_ED25519, None).unwrap();
    assert_eq!(edwards.public().algorithm(), Algorithm::Ed25519);
}

#[test]
fn what_is_no_key_of_ours_is_refused() {
    let key = PrivateKey::generate(Algorithm::P256).unwrap().public();
    let mut compressed = key.spki().to_vec();
    compressed[26] = 2;
    let spki = [&[][..], &key.spki()[..90], &compressed, &[key.spki(), &[0]].concat()];
    for der in spki {
        assert!(PublicKey::from_spki(der).is_err(), "{der:02x?}");
    }
    assert!(PublicKey::from_pem("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----").is_err());
    assert!(matches!(PrivateKey::from_pem("hello", None), Err(PrivateKeyError::Format(_))));
}

const OPENSSL_LOCKED: &str = "\
-----BEGIN ENCRYPTED PRIVATE KEY-----\n\
MIHkME8GCSqGSIb3DQEFDTBCMCEGCSsGAQQB2kcECzAUBAhIBvKPoIE+PAICQAAC\n\
AQgCAQEwHQYJYIZIAWUDBAEqBBCmir4KmMVhuLzD7x4m2ZrRBIGQDI7AM8RMVlMm\n\
Q22coh5FHjSubEXLBI4i7SeK4IQF36Dw1PVYMEi2kK93zAFrIKwAGtbGoKj45q9m\n\
dGF3qLH45U126cJ2qbkhUVoJ3tatAdKCboYQRPnc8YpZdIDTHf5GVw6auBAUDhAU\n\
qvKy7Pr5BaxNJqoO4O0dY1NJQ7Vz5AxXaJ78LX+FKe4DamgpGH3Z\n\
-----END ENCRYPTED PRIVATE KEY-----\n\
";
const OPENSSL_PUBLIC: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEguG15SNsAMmzd+ZZvlNENuu8J86h\n\
rfwA8yg7lXYuEfOWZ4AMBVNDpHC3G8GUub0XulrMzcoV0owC48B+YlCutg==\n\
-----END PUBLIC KEY-----\n\
";
const OPENSSL_ED25519: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MC4CAQAwBQYDK2VwBCIEIPj/3KAasM208LJi+2+U75ptHClX7vlqFPKIB/t2yRvN\n\
-----END PRIVATE KEY-----\n\
";
