/* SPDX-License-Identifier: MIT */
/*
 * Runs the official JavaScript Cosmos client, client encryption on, through a fixed list of
 * checks against an account and a vault, and prints one JSON object: check name -> {value} or
 * {error}. It judges nothing; test_cosmos_sdk.py does. The checks run in order and build on each
 * other's documents.
 *
 * Input (standard input, JSON): endpoint, key, tenant, client, secret, keks (name -> key id),
 * steering (port of the account on loopback), documents (how many), hashes (list of {values,
 * definition}), hosts (regex -> loopback port). Real host names are mapped in this process only, below the SDK, so that nothing
 * in the SDK is switched off. AZC_NODE_MODULES says where the packages are.
 */
import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import tls from 'node:tls';
import { createRequire } from 'node:module';

const modules = process.env.AZC_NODE_MODULES;
const require = createRequire(path.join(modules, 'resolve-from-here.js'));
const cosmos = require('@azure/cosmos');
const { ClientSecretCredential } = require('@azure/identity');
const { hashPartitionKey } = require(path.join(modules,
	'@azure/cosmos/dist/commonjs/utils/hashing/hash.js'));

const ALGORITHM = 'AEAD_AES_256_CBC_HMAC_SHA256';
const DATABASE = 'shop';
const DEADLINE = 20_000; /* milliseconds for one check */
const input = JSON.parse(fs.readFileSync(0, 'utf8'));

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

/* Steers the emulator; not a request of the client. */
function steer(what, told) {
	const body = JSON.stringify(told);
	return new Promise((done, failed) => {
		const request = https.request({ host: 'localhost', port: input.steering, method: 'POST',
			path: `/_test/${what}`, agent: false,
			headers: { 'Content-Length': Buffer.byteLength(body) } }, (answer) => {
			answer.resume();
			answer.on('end', () => answer.statusCode === 200 ? done()
				: failed(new Error(`${what}: ${answer.statusCode}`)));
		});
		request.on('error', failed);
		request.end(body);
	});
}

function credential() {
	return new ClientSecretCredential(input.tenant, input.client, input.secret);
}

/* Its cache finds keys by their KEK alone, so they live 0 seconds in it. */
function encrypting() {
	return new cosmos.CosmosClient({ endpoint: input.endpoint, key: input.key,
		clientEncryptionOptions: {
			keyEncryptionKeyResolver: new cosmos.AzureKeyVaultEncryptionKeyResolver(credential()),
			encryptionKeyTimeToLiveInSeconds: 0,
		} });
}

mapHosts(input.hosts);
const client = encrypting();
const plain = new cosmos.CosmosClient({ endpoint: input.endpoint, key: input.key });
const database = client.database(DATABASE);

const container = (name) => database.container(name);
const stored = (name) => plain.database(DATABASE).container(name);
const wrappedBy = (kek) => ({ type: 'AZURE_KEY_VAULT', name: kek, value: input.keks[kek],
	algorithm: 'RSA-OAEP' });
const included = (property, key, type) => ({ path: property, clientEncryptionKeyId: key,
	encryptionType: type, encryptionAlgorithm: ALGORITHM });
const ids = (documents) => documents.map((d) => d.id).sort();

async function create(id, paths, version, ...entries) {
	const kind = paths.length > 1 ? 'MultiHash' : 'Hash';
	const made = await database.containers.create({ id,
		partitionKey: { paths, kind, version: 2 },
		clientEncryptionPolicy: { policyFormatVersion: version, includedPaths: entries } });
	return made.statusCode;
}

function sample(i) {
	return { id: `d${i}`, pk: `p${i % 7}`, s: `secret ${i}`, n: i, o: { a: [i, null, true, 'x'] },
		clear: i / 2 };
}

/*
 * Pages until the client says there are no more; `between` runs after the first. No split between the
 * pages of a query by ranges (forceQueryPlan): this release asks a range that is gone for ever,
 * and so do clients that knew the ranges before.
 */
async function pages(iterator, between) {
	const found = [];
	let count = 0;
	while (iterator.hasMoreResults()) {
		found.push(...(await iterator.fetchNext()).resources ?? []);
		if (++count === 1 && between)
			await between();
	}
	return { ids: ids(found), count };
}

async function changes(options, between) {
	const iterator = container('plain').items.getChangeFeedIterator(options);
	const found = [];
	let idle;
	for (let i = 0; ; i++) {
		const page = await iterator.readNext();
		if (page.statusCode === 304) {
			idle = page;
			break;
		}
		found.push(...page.result);
		if (i === 0 && between)
			await between();
	}
	return { ids: ids(found), rows: found, continuation: idle.continuationToken };
}

const from = cosmos.ChangeFeedStartFrom;

const checks = {
	hashes: () => input.hashes.map(({ values, definition }) => hashPartitionKey(
		values.map((v) => (v !== null && typeof v === 'object' ? undefined : v)), definition)),
	account: async () => (await client.getDatabaseAccount()).resource.writableLocations[0]
		.databaseAccountEndpoint,
	database: async () => (await client.databases.create({ id: DATABASE })).statusCode,
	keys: async () => {
		const made = [];
		for (const [id, kek] of [['one', 'kek'], ['two', 'kek'], ['three', 'other']])
			made.push((await database.createClientEncryptionKey(id, ALGORITHM, wrappedBy(kek)))
				.statusCode);
		return made;
	},
	key_again: () => database.createClientEncryptionKey('one', ALGORITHM, wrappedBy('kek')),
	key_read: async () => (await database.readClientEncryptionKey('one')).resource,
	container_unknown_key: () => create('bad', ['/pk'], 1, included('/s', 'nope', 'Randomized')),
	container_id_format_1: () => create('bad', ['/pk'], 1, included('/id', 'one', 'Deterministic')),
	containers: async () => [
		await create('cells', ['/pk'], 1, included('/s', 'one', 'Deterministic'),
			included('/n', 'two', 'Deterministic'), included('/o', 'three', 'Randomized')),
		await create('hidden', ['/pk'], 2, included('/id', 'one', 'Deterministic'),
			included('/pk', 'one', 'Deterministic'), included('/s', 'two', 'Randomized')),
		await create('levels', ['/a', '/b', '/c'], 2, included('/b', 'one', 'Deterministic'),
			included('/s', 'two', 'Randomized')),
		(await plain.database(DATABASE).containers.create({ id: 'plain',
			partitionKey: { paths: ['/a', '/b'], kind: 'MultiHash', version: 2 } })).statusCode,
	],
	create: async () => {
		const made = [];
		for (let i = 0; i < input.documents; i++)
			made.push((await container('cells').items.create(sample(i))).statusCode);
		return made;
	},
	create_again: () => container('cells').items.create(sample(0)),
	create_unencrypted: () => stored('cells').items.create({ id: 'clear', pk: 'p' }),
	read: async () => (await container('cells').item('d3', 'p3').read()).resource,
	read_stored: async () => (await stored('cells').item('d3', 'p3').read()).resource,
	read_missing: async () => (await container('cells').item('none', 'p3').read()).statusCode,
	read_unchanged: async () => {
		const etag = (await container('cells').item('d3', 'p3').read()).etag;
		return (await container('cells').item('d3', 'p3').read({
			accessCondition: { type: 'IfNoneMatch', condition: etag } })).statusCode;
	},
	all: async () => (await container('cells').items.readAll().fetchAll()).resources
		.sort((a, b) => a.n - b.n).map(({ id, s, n, o }) => ({ id, s, n, o })),
	query_string: async () => {
		const query = new cosmos.EncryptionQueryBuilder('SELECT * FROM c WHERE c.s = @s');
		query.addParameter('@s', 'secret 7', '/s');
		return ids((await (await container('cells').items.getEncryptionQueryIterator(query))
			.fetchAll()).resources);
	},
	query_number: async () => {
		const query = new cosmos.EncryptionQueryBuilder('SELECT * FROM c WHERE c.n = @n');
		query.addParameter('@n', { value: 9,
			numberType: cosmos.CosmosEncryptedNumberType.Integer }, '/n');
		return ids((await (await container('cells').items.getEncryptionQueryIterator(query))
			.fetchAll()).resources);
	},
	query_partition: async () => ids((await stored('cells').items
		.query('SELECT c.id FROM c WHERE c.clear >= 0', { partitionKey: 'p2' }).fetchAll())
		.resources),
	query_pages: () => pages(stored('cells').items.query(
		'SELECT c.id FROM c WHERE IS_DEFINED(c.clear)', { maxItemCount: 3 })),
	query_empty_pages: async () => {
		await steer('state', { empty_page_every: 3 });
		const found = await pages(stored('cells').items.query('SELECT * FROM c',
			{ maxItemCount: 3, forceQueryPlan: true }));
		await steer('state', { empty_page_every: 0 });
		return found;
	},
	query_split: () => pages(stored('cells').items.query('SELECT * FROM c',
		{ maxItemCount: 2 }), () => steer('split',
		{ database: DATABASE, container: 'cells', range: '0' })),
	query_merge: () => pages(stored('cells').items.query('SELECT * FROM c',
		{ maxItemCount: 2 }), () => steer('merge',
		{ database: DATABASE, container: 'cells', ranges: ['4', '5'] })),
	query_new_ranges: () => pages(encrypting().database(DATABASE).container('cells').items
		.query('SELECT * FROM c', { maxItemCount: 2, forceQueryPlan: true })),
	query_top: async () => (await stored('cells').items.query('SELECT TOP 5 c.id FROM c',
		{ forceQueryPlan: true }).fetchAll()).resources.length,
	query_wrong: () => stored('cells').items.query('SELECT SUM(c.n) FROM c').fetchAll(),
	replace: async () => {
		const item = container('cells').item('d5', 'p5');
		const before = await item.read();
		const after = await item.replace({ ...before.resource, s: 'other' }, {
			accessCondition: { type: 'IfMatch', condition: before.etag } });
		return [after.statusCode, after.resource.s, after.etag !== before.etag];
	},
	replace_stale: () => container('cells').item('d5', 'p5').replace(sample(5), {
		accessCondition: { type: 'IfMatch', condition: '"stale"' } }),
	upsert: async () => [(await container('cells').items.upsert(sample(6))).statusCode,
		(await container('cells').items.upsert(sample(100))).statusCode],
	delete: async () => (await container('cells').item('d6', 'p6').delete()).statusCode,
	delete_again: () => container('cells').item('d6', 'p6').delete(),
	hidden: async () => {
		const id = 'order/7?#ключ';
		await container('hidden').items.create({ id: 'order 7', pk: 'größe', s: 'x' });
		await container('hidden').items.create({ id, pk: 'größe', s: 'y' });
		const shown = (await container('hidden').item('order 7', 'größe').read()).resource;
		const raw = (await stored('hidden').items.readAll().fetchAll()).resources;
		const all = (await container('hidden').items.readAll().fetchAll()).resources;
		return { shown: [shown.id, shown.pk, shown.s], all: ids(all), raw: ids(raw) };
	},
	levels: async () => {
		for (const [id, b, c] of [['1', 'x', 1], ['1', 'x', 2], ['1', 'y', 1]])
			await container('levels').items.create({ id, a: 'top', b, c, s: `${b}${c}` });
		return (await container('levels').item('1', ['top', 'x', 2]).read()).resource.s;
	},
	levels_prefix: async () => {
		const items = stored('plain').items;
		for (let i = 0; i < 30; i++)
			await items.create({ id: `${i}`, a: `a${i % 3}`, b: i });
		return ids((await items.query('SELECT * FROM c', { partitionKey: ['a1'] }).fetchAll())
			.resources);
	},
	undefined_key: async () => {
		await stored('plain').items.create({ id: 'nowhere', a: 'a9' });
		return (await stored('plain').item('nowhere', ['a9', undefined]).read()).resource?.id;
	},
	changes: () => changes({ changeFeedStartFrom: from.Beginning(), maxItemCount: 4 }),
	changes_now: async () => (await changes({ changeFeedStartFrom: from.Now() })).ids,
	changes_split: async () => (await changes({ changeFeedStartFrom: from.Beginning(),
		maxItemCount: 4 }, () => steer('split',
		{ database: DATABASE, container: 'plain', range: '1' }))).ids,
	changes_merge: async () => (await changes({ changeFeedStartFrom: from.Beginning(),
		maxItemCount: 4 }, () => steer('merge',
		{ database: DATABASE, container: 'plain', ranges: ['2', '3'] }))).ids,
	changes_more: async () => {
		const { continuation } = await changes({ changeFeedStartFrom: from.Beginning() });
		await stored('plain').item('4', ['a1', 4]).replace({ id: '4', a: 'a1', b: 4, z: 1 });
		await stored('plain').item('5', ['a2', 5]).delete();
		return (await changes({ changeFeedStartFrom: from.Continuation(continuation) })).ids;
	},
	changes_key: async () => (await changes({
		changeFeedStartFrom: from.Beginning(['a0', 3]) })).ids,
	rewrap: async () => {
		const before = (await database.readClientEncryptionKey('one')).resource;
		const done = await database.rewrapClientEncryptionKey('one', wrappedBy('other'));
		const after = done.resource;
		const read = (await encrypting().database(DATABASE).container('cells').item('d3', 'p3')
			.read()).resource;
		return [done.statusCode, after.keyWrapMetadata.value,
			after.wrappedDataEncryptionKey !== before.wrappedDataEncryptionKey, read.s];
	},
	recreated: async () => {
		const before = container('hidden');
		await before.items.create({ id: 'x', pk: 'y', s: 'z' });
		await steer('recreate', { database: DATABASE, container: 'hidden' });
		return before.items.create({ id: 'x2', pk: 'y', s: 'z' });
	},
	entra_read: async () => {
		const entra = new cosmos.CosmosClient({ endpoint: input.endpoint,
			aadCredentials: credential() });
		return (await entra.database(DATABASE).container('cells').item('d3', 'p3').read())
			.resource.id;
	},
	entra_create_database: () => new cosmos.CosmosClient({ endpoint: input.endpoint,
		aadCredentials: credential() }).databases.create({ id: 'not-so' }),
	wrong_key: () => new cosmos.CosmosClient({ endpoint: input.endpoint,
		key: Buffer.alloc(64, 1).toString('base64') }).database(DATABASE).read(),
	throttled: async () => {
		await steer('state', { throttle_for: 0.3, retry_after: 0.1 });
		const begun = Date.now();
		await stored('cells').item('d3', 'p3').read();
		return Date.now() - begun;
	},
};

function overdue() {
	return new Promise((_, failed) => setTimeout(failed, DEADLINE, new Error('overdue')).unref());
}

async function outcome(check) {
	try {
		return { value: (await Promise.race([check(), overdue()])) ?? null };
	} catch (error) {
		return { error: { code: error.code, substatus: error.substatus,
			message: String(error.message ?? error).slice(0, 1000) } };
	}
}

const results = {};
for (const [name, check] of Object.entries(checks))
	results[name] = await outcome(check);
process.stdout.write(JSON.stringify(results), () => process.exit(0));
