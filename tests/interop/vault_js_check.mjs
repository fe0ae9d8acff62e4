/* SPDX-License-Identifier: MIT */
/*
 * Runs the official JavaScript Key Vault client through a fixed list of checks against a
 * vault and prints one JSON object: check name -> {value} or {error}. It judges nothing;
 * test_vault_sdks.py does.
 *
 * Input (standard input, JSON): vault (URL), tenant, client, secret, keys (names),
 * wrapped (base64 by check), hosts (regex -> loopback port). Real host names are mapped in
 * this process only, below the SDK, so that nothing in the SDK is switched off.
 * AZC_NODE_MODULES says where @azure/keyvault-keys and @azure/identity are.
 */
import fs from 'node:fs';
import path from 'node:path';
import tls from 'node:tls';
import { createRequire } from 'node:module';

const require = createRequire(path.join(process.env.AZC_NODE_MODULES, 'resolve-from-here.js'));
const { KeyClient, CryptographyClient } = require('@azure/keyvault-keys');
const { ClientSecretCredential } = require('@azure/identity');

const input = JSON.parse(fs.readFileSync(0, 'utf8'));
const options = { retryOptions: { maxRetries: 2, retryDelayInMs: 1 } };
const content = Buffer.from('0123456789abcdef0123456789abcdef');

function mapHosts(hosts) {
	const rules = Object.entries(hosts).map(([pattern, port]) => [new RegExp(pattern), port]);
	const connect = tls.connect;
	tls.connect = (target, ...rest) => {
		const rule = rules.find(([pattern]) => pattern.test(target.host));
		if (!rule)
			throw new Error(`the test may not connect to ${target.host}`);
		const servername = target.servername || target.host;
		return connect({ ...target, host: '127.0.0.1', port: rule[1], servername }, ...rest);
	};
}

function credential(secret = input.secret) {
	return new ClientSecretCredential(input.tenant, input.client, secret);
}

function crypt(name, version = '') {
	const id = `${input.vault}/keys/${name}${version ? `/${version}` : ''}`;
	return new CryptographyClient(id, credential(), options);
}

async function collect(pages) {
	const ids = [];
	for await (const properties of pages)
		ids.push(properties.id);
	return ids;
}

async function roundTrip(name, algorithm) {
	const client = crypt(name);
	const wrapped = await client.wrapKey(algorithm, content);
	const plain = await client.unwrapKey(algorithm, wrapped.result);
	return { wrapped: Buffer.from(wrapped.result).toString('base64'), kid: wrapped.keyID,
		same: Buffer.from(plain.result).equals(content) };
}

async function unwrap(name, algorithm, check) {
	const wrapped = Buffer.from(input.wrapped[check], 'base64');
	const plain = await crypt(name).unwrapKey(algorithm, wrapped);
	return Buffer.from(plain.result).toString('base64');
}

async function getKey(version) {
	const key = await new KeyClient(input.vault, credential(), options)
		.getKey(input.keys.rsa, version ? { version } : {});
	return { id: key.id, type: key.keyType, operations: key.keyOperations };
}

const checks = {
	get_current: () => getKey(),
	get_version: () => getKey(input.oldVersion),
	list_keys: () => collect(new KeyClient(input.vault, credential(), options)
		.listPropertiesOfKeys()),
	list_versions: () => collect(new KeyClient(input.vault, credential(), options)
		.listPropertiesOfKeyVersions(input.keys.rsa)),
	round_trip_oaep: () => roundTrip(input.keys.rsa, 'RSA-OAEP'),
	round_trip_oaep_256: () => roundTrip(input.keys.rsa, 'RSA-OAEP-256'),
	round_trip_a128kw: () => roundTrip(input.keys.oct128, 'A128KW'),
	round_trip_a192kw: () => roundTrip(input.keys.oct192, 'A192KW'),
	round_trip_a256kw: () => roundTrip(input.keys.oct256, 'A256KW'),
	unwrap_oaep: () => unwrap(input.keys.rsa, 'RSA-OAEP', 'oaep'),
	unwrap_oaep_256: () => unwrap(input.keys.rsa, 'RSA-OAEP-256', 'oaep_256'),
	unwrap_a256kw: () => unwrap(input.keys.oct256, 'A256KW', 'a256kw'),
	disabled: () => unwrap(input.keys.disabled, 'RSA-OAEP', 'oaep'),
	missing: () => unwrap('no-such-key', 'RSA-OAEP', 'oaep'),
	denied: () => unwrap(input.keys.denied, 'RSA-OAEP', 'oaep'),
	garbage: () => unwrap(input.keys.rsa, 'RSA-OAEP', 'garbage'),
	wrong_algorithm: () => unwrap(input.keys.oct128, 'A256KW', 'a256kw'),
	rsa1_5: () => unwrap(input.keys.rsa, 'RSA1_5', 'oaep'),
	wrong_secret: () => new KeyClient(input.vault, credential('wrong'), options)
		.getKey(input.keys.rsa),
};

async function outcome(check) {
	try {
		return { value: await check() };
	} catch (error) {
		const inner = error.details?.error?.innerError?.code;
		return { error: { name: error.name, status: error.statusCode, code: error.code, inner,
			message: error.message } };
	}
}

mapHosts(input.hosts);
const results = {};
for (const [name, check] of Object.entries(checks))
	results[name] = await outcome(check);
process.stdout.write(JSON.stringify(results));
