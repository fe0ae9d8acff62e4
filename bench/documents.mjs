/* SPDX-License-Identifier: MIT */
/*
 * What the official client does with the documents that the program is measured with.  AZC_NODE_MODULES says
 * where @azure/cosmos is; each command prints JSON or a number.
 *
 *   unseal DIRECTORY SECONDS   {name: microseconds} of each document that document.c has left there, in the least
 *                              disturbed round: JSON.parse of the stored text, and the client's own decryption
 *   stream URL DATABASE CONTAINER COUNT KEY-FILE JWK-FILE
 *                              documents/s: COUNT of them or a few more, decrypted, a page after the other, behind
 *                              a first page that warms it up
 */
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const modules = process.env.AZC_NODE_MODULES;
const require = createRequire(path.join(modules, 'resolve-from-here.js'));
const { CosmosClient } = require('@azure/cosmos');
const now = () => Number(process.hrtime.bigint()) / 1e3;

/* Keys that are here, in place of a vault. */
class Resolver {
	encryptionKeyResolverName = 'AZURE_KEY_VAULT';

	constructor(unwrap) {
		this.unwrapKey = async (_id, _algorithm, wrapped) => new Uint8Array(unwrap(Buffer.from(wrapped)));
	}

	async wrapKey() {
		throw new Error('nothing is wrapped here');
	}
}

/* ---- unsealing alone: the client's own processor, with its caches filled by hand so that it asks nobody */

async function makeProcessor(container) {
	const from = (name) => require(path.join(modules, '@azure/cosmos/dist/commonjs/encryption', name));
	const { EncryptionProcessor } = from('EncryptionProcessor.js');
	const { EncryptionManager } = from('EncryptionManager.js');
	const manager = new EncryptionManager(new Resolver(() => Buffer.from(container.key, 'hex')));

	await manager.encryptionSettingsCache.create('db/coll', 'coll', ['/id'], container.policy);
	manager.clientEncryptionKeyPropertiesCache.set('db/dek', {
		id: 'dek', encryptionAlgorithm: 'AEAD_AES_256_CBC_HMAC_SHA256', etag: '"1"',
		wrappedDataEncryptionKey: new Uint8Array(256),
		encryptionKeyWrapMetadata: { type: 'AZURE_KEY_VAULT', name: 'kek', value: 'https://bench/keys/kek/1',
			algorithm: 'RSA-OAEP' },
	});
	return new EncryptionProcessor('c', 'coll', { id: 'db', _rid: 'db' }, undefined, manager);
}

async function microseconds(processor, text, seconds) {
	const end = now() + seconds * 1e6;
	let least = Infinity;

	while (now() < end) {
		const start = now();
		let n = 0;

		do {
			const { body, propertiesDecryptedCount } = await processor.decrypt(JSON.parse(text));

			if (propertiesDecryptedCount === 0 || body.id !== 'bench')
				throw new Error('nothing was decrypted');
			n++;
		} while (now() - start < 20e3);
		least = Math.min(least, (now() - start) / n);
	}
	return least;
}

async function unseal(directory, seconds) {
	const container = JSON.parse(fs.readFileSync(path.join(directory, 'container.json'), 'utf8'));
	const processor = await makeProcessor(container);
	const names = fs.readdirSync(directory).filter((name) => /^[a-z]+-\d+\.json$/.test(name));
	const found = {};

	for (const name of names) {
		const text = fs.readFileSync(path.join(directory, name), 'utf8');

		found[name.slice(0, -5)] = await microseconds(processor, text, Number(seconds));
	}
	console.log(JSON.stringify(found));
}

/* ---- a whole container */

async function nextPage(pages) {
	const { resources = [] } = await pages.fetchNext();

	if (resources.some((r) => typeof r.s2 !== 'number'))
		throw new Error('a document is still sealed');
	return resources.length;
}

async function stream(endpoint, database, container, count, keyFile, jwkFile) {
	const jwk = JSON.parse(fs.readFileSync(jwkFile, 'utf8')).keys[0];
	const key = crypto.createPrivateKey({ key: jwk, format: 'jwk' });
	const padding = crypto.constants.RSA_PKCS1_OAEP_PADDING;
	const client = new CosmosClient({
		endpoint, key: fs.readFileSync(keyFile, 'utf8').trim(),
		clientEncryptionOptions: {
			keyEncryptionKeyResolver: new Resolver((wrapped) =>
				crypto.privateDecrypt({ key, padding, oaepHash: 'sha1' }, wrapped)),
		},
	});
	const pages = client.database(database).container(container).items.readAll({ maxItemCount: 1000 });
	const first = await nextPage(pages);
	const start = now();
	let n = 0;

	while (n < Number(count) && pages.hasMoreResults())
		n += await nextPage(pages);
	if (first === 0 || n < Number(count))
		throw new Error(`${n} documents of ${count}`);
	console.log((n / (now() - start) * 1e6).toFixed(1));
}

await { unseal, stream }[process.argv[2]](...process.argv.slice(3));
process.exit(0);
