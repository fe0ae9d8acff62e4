/* SPDX-License-Identifier: MIT */
/*
 * Writes and reads documents with the official JavaScript client, client encryption on, and
 * prints a JSON list: for each step {value} or {error}. The steps: class Writer of cosmos.py.
 *
 * Input (standard input, JSON): endpoint, key, keks (key id -> PEM), database, steps.
 * AZC_NODE_MODULES says where @azure/cosmos is.
 *
 * Keys live 0 seconds in the client's cache: it finds them by their KEK alone, so that two keys
 * under one KEK would be taken for each other.
 */
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const require = createRequire(path.join(process.env.AZC_NODE_MODULES, 'resolve-from-here.js'));
const { CosmosClient, EncryptionQueryBuilder } = require('@azure/cosmos');

const ALGORITHM = 'AEAD_AES_256_CBC_HMAC_SHA256';
const input = JSON.parse(fs.readFileSync(0, 'utf8'));

class LocalResolver {
	encryptionKeyResolverName = 'AZURE_KEY_VAULT';

	kek(kid) {
		if (!input.keks[kid])
			throw new Error(`no key ${kid}`);
		return { key: input.keks[kid], padding: crypto.constants.RSA_PKCS1_OAEP_PADDING,
			oaepHash: 'sha1' };
	}

	async wrapKey(kid, algorithm, bytes) {
		return new Uint8Array(crypto.publicEncrypt(this.kek(kid), bytes));
	}

	async unwrapKey(kid, algorithm, bytes) {
		return new Uint8Array(crypto.privateDecrypt(this.kek(kid), bytes));
	}
}

const client = new CosmosClient({
	endpoint: input.endpoint, key: input.key,
	clientEncryptionOptions: {
		keyEncryptionKeyResolver: new LocalResolver(), encryptionKeyTimeToLiveInSeconds: 0,
	},
});
const { database } = await client.databases.createIfNotExists({ id: input.database });

function wrappedBy(kid) {
	return { type: 'AZURE_KEY_VAULT', name: 'kek', value: kid, algorithm: 'RSA-OAEP' };
}

function item(step, id) {
	return database.container(step.container).item(id, step.key);
}

async function query(step) {
	const builder = new EncryptionQueryBuilder(step.text);
	for (const { name, path: property, value } of step.parameters ?? [])
		builder.addParameter(name, value, property);
	const pages = await database.container(step.container).items.getEncryptionQueryIterator(builder);
	return (await pages.fetchAll()).resources;
}

const actions = {
	key: async (s) => (await database
		.createClientEncryptionKey(s.id, ALGORITHM, wrappedBy(s.kid))).statusCode,
	rewrap: async (s) => (await database
		.rewrapClientEncryptionKey(s.id, wrappedBy(s.kid))).statusCode,
	container: async (s) => (await database.containers.create(s.definition)).statusCode,
	create: async (s) => (await database.container(s.container).items.create(s.document)).resource,
	upsert: async (s) => (await database.container(s.container).items.upsert(s.document)).resource,
	replace: async (s) => (await item(s, s.document.id).replace(s.document, s.etag
		? { accessCondition: { type: 'IfMatch', condition: s.etag } } : undefined)).resource,
	delete: async (s) => (await item(s, s.id).delete()).statusCode,
	read: async (s) => (await item(s, s.id).read()).resource ?? null,
	all: async (s) => (await database.container(s.container).items.readAll().fetchAll()).resources,
	query,
};

async function outcome(step) {
	try {
		return { value: await actions[step.do](step) };
	} catch (error) {
		return { error: { code: error.code, substatus: error.substatus,
			message: String(error.message ?? error).slice(0, 2000) } };
	}
}

const outcomes = [];
for (const step of input.steps)
	outcomes.push(await outcome(step));
process.stdout.write(JSON.stringify(outcomes), () => process.exit(0));
