// Verifies with sigstore-js and tuf-js what runwrit made.
const crypto = require('node:crypto');
const fs = require('node:fs');

const read = (path) => JSON.parse(fs.readFileSync(path, 'utf8'));

function bundle(path, pem, other) {
  const { bundleFromJSON } = require('@sigstore/bundle');
  const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify');
  const verify = (json, file) => {
    const publicKey = crypto.createPublicKey(fs.readFileSync(file, 'utf8'));
    const root = {
      mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
      tlogs: [], ctlogs: [], certificateAuthorities: [], timestampAuthorities: [],
    };
    const trust = toTrustMaterial(root, () => ({ publicKey, validFor: () => true }));
    const options = { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 };
    new Verifier(trust, options).verify(toSignedEntity(bundleFromJSON(json)));
  };
  verify(read(path), pem);
  const changed = read(path);
  const payload = Buffer.from(changed.dsseEnvelope.payload, 'base64').toString() + ' ';
  changed.dsseEnvelope.payload = Buffer.from(payload).toString('base64');
  for (const [json, file] of [[read(path), other], [changed, pem]]) {
    let refused = false;
    try { verify(json, file); } catch { refused = true; }
    if (!refused) throw new Error('it verifies what it should not');
  }
}

function chain(...paths) {
  const { Metadata } = require('@tufjs/models');
  const roots = paths.map((path) => Metadata.fromJSON('root', read(path)));
  roots[0].verifyDelegate('root', roots[0]);
  for (let place = 1; place < roots.length; place += 1) {
    roots[place - 1].verifyDelegate('root', roots[place]);
    roots[place].verifyDelegate('root', roots[place]);
  }
}

({ bundle, chain })[process.argv[2]](...process.argv.slice(3));
