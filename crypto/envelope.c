/* SPDX-License-Identifier: MIT */
/*
 * Reading the "encryptiondata" record: see envelope.h.  The packed form for
 * listings is in packed.c.
 */
#include "crypto/envelope.h"

#include <errno.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/base64.h"
#include "base/num.h"
#include "crypto/mac.h"

enum { NONCE_LEN = 12, REGION_LEN_MAX = 1 << 30, IV_LEN = 16 };

/* What an AES key wrap adds to what it wraps: 32 bytes in V1, 40 in V2. */
enum { WRAPPED_AES_V1 = 40, WRAPPED_AES_V2 = 48 };

struct name {
	const char *name;
	int value;
};

static const struct name protocols[] = {
	{ "1.0", PROTOCOL_V1 },
	{ "2.0", PROTOCOL_V2_0 },
	{ "2.1", PROTOCOL_V2_1 },
};

static const struct name wrap_algs[] = {
	{ "RSA-OAEP", WRAP_RSA_OAEP }, { "RSA-OAEP-256", WRAP_RSA_OAEP_256 },
	{ "A128KW", WRAP_A128KW },     { "A192KW", WRAP_A192KW },
	{ "A256KW", WRAP_A256KW },
};

static const char *
name_of(const struct name *names, size_t n, int value)
{
	for (size_t i = 0; i < n; i++)
		if (names[i].value == value)
			return names[i].name;
	return "?";
}

static bool
value_of(const struct name *names, size_t n, const char *name, int *out)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i].name, name) != 0)
			continue;
		*out = names[i].value;
		return true;
	}
	return false;
}

static int
malformed(struct err *e, const char *member, const char *what)
{
	(void)err_set(e, EBADMSG, "encryptiondata: %s %s", member, what);
	return err_mark(e, "integrity.metadata", NULL);
}

/* name comes from the record: quoted, and cut so that the rest of the line is still read. */
static int
unsupported(struct err *e, const char *what, const char *name)
{
	(void)err_set(e, EOPNOTSUPP, "encryptiondata: %s \"%.40s\" is not supported", what, name);
	return err_mark(e, "policy.unsupported", NULL);
}

static int
foreign(struct err *e, const char *algorithm)
{
	(void)err_set(e, EOPNOTSUPP, "encryptiondata: content is %.40s, another product's format",
		      algorithm);
	return err_mark(e, "policy.foreign",
			"this blob belongs to another product (Snowflake writes such records); "
			"read it with that product");
}

/* A member; null is the same as nothing. */
static json_t *
member(const json_t *object, const char *name)
{
	json_t *v = json_object_get(object, name);

	return json_is_null(v) ? NULL : v;
}

static int
object_member(const json_t *object, const char *name, json_t **out, struct err *e)
{
	json_t *v = member(object, name);

	if (!json_is_object(v))
		return malformed(e, name, v == NULL ? "is missing" : "is no object");
	*out = v;
	return 0;
}

/* The text is borrowed from the object.  A NUL inside would hide what follows it. */
static int
string_member(const json_t *object, const char *name, const char **out, struct err *e)
{
	const json_t *v = member(object, name);

	if (!json_is_string(v))
		return malformed(e, name, v == NULL ? "is missing" : "is no string");
	if (strlen(json_string_value(v)) != json_string_length(v))
		return malformed(e, name, "holds a NUL");
	*out = json_string_value(v);
	return 0;
}

static int
integer_member(const json_t *object, const char *name, uint64_t min, uint64_t max, uint64_t *out,
	       struct err *e)
{
	const json_t *v = member(object, name);
	json_int_t i;

	if (!json_is_integer(v))
		return malformed(e, name, v == NULL ? "is missing" : "is no integer");
	i = json_integer_value(v);
	if (i < 0 || (uint64_t)i < min || (uint64_t)i > max)
		return malformed(e, name, "is out of range");
	*out = (uint64_t)i;
	return 0;
}

/* Canonical base64 of 1..room.n bytes. */
static int
base64_member(const json_t *object, const char *name, struct room room, size_t *out_n,
	      struct err *e)
{
	const char *text = NULL;
	size_t n;
	int r = string_member(object, name, &text, e);

	if (r < 0)
		return r;
	if (!base64_decode(BASE64_STANDARD, span_str(text), room, &n) || n == 0)
		return malformed(e, name, "is no base64 of a fitting length");
	*out_n = n;
	return 0;
}

/* Which generation, and that its content cipher is named with it. */
static int
parse_agent(const json_t *root, struct envelope *env, struct err *e)
{
	const char *protocol = NULL, *algorithm = NULL;
	json_t *agent = NULL;
	bool gcm;
	int value, r;

	r = object_member(root, "EncryptionAgent", &agent, e);
	if (r == 0)
		r = string_member(agent, "Protocol", &protocol, e);
	if (r == 0)
		r = string_member(agent, "EncryptionAlgorithm", &algorithm, e);
	if (r < 0)
		return r;
	if (strcmp(algorithm, "AES_CBC_128") == 0)
		return foreign(e, algorithm);
	gcm = strcmp(algorithm, "AES_GCM_256") == 0;
	if (!gcm && strcmp(algorithm, "AES_CBC_256") != 0)
		return unsupported(e, "content algorithm", algorithm);
	if (!value_of(protocols, ARRAY_LEN(protocols), protocol, &value))
		return unsupported(e, "protocol", protocol);
	if (gcm != (value != PROTOCOL_V1))
		return malformed(e, "EncryptionAlgorithm", "does not go with the protocol");
	env->protocol = (enum protocol)value;
	return 0;
}

static int
parse_kid(const json_t *key, struct envelope *env, struct err *e)
{
	const char *kid = NULL;
	int r;

	if (member(key, "KeyId") == NULL)
		return err_set(e, ENOKEY, "encryptiondata: the wrapping key has no name");
	r = string_member(key, "KeyId", &kid, e);
	if (r < 0)
		return r;
	if (kid[0] == '\0')
		return err_set(e, ENOKEY, "encryptiondata: the wrapping key has an empty name");
	if (strlen(kid) > ENVELOPE_KID_MAX)
		return malformed(e, "KeyId", "is too long");
	env->kid = strdup(kid);
	return env->kid == NULL ? err_set(e, ENOMEM, "out of memory") : 0;
}

/*
 * An AES wrap tells what it holds by its length: here a V2 key under a V1 label is refused before
 * a vault is asked. RSA hides it; there the length of what comes out decides (cek.h).
 */
static bool
wrapped_length_fits(const struct envelope *env, size_t n)
{
	if (wrap_alg_is_rsa(env->alg))
		return true;
	return n == (env->protocol == PROTOCOL_V1 ? WRAPPED_AES_V1 : WRAPPED_AES_V2);
}

static int
parse_wrapped(const json_t *key, struct envelope *env, struct err *e)
{
	uint8_t wrapped[ENVELOPE_WRAPPED_MAX];
	size_t n = 0;
	int r;

	r = base64_member(key, "EncryptedKey", (struct room){ wrapped, sizeof(wrapped) }, &n, e);
	if (r < 0)
		return r;
	if (!wrapped_length_fits(env, n))
		return malformed(e, "EncryptedKey", "has not the length its algorithm gives");
	env->wrapped = malloc(n);
	if (env->wrapped == NULL)
		return err_set(e, ENOMEM, "out of memory");
	memcpy(env->wrapped, wrapped, n);
	env->n_wrapped = n;
	return 0;
}

static int
parse_key(const json_t *root, struct envelope *env, struct err *e)
{
	const char *alg = NULL;
	json_t *key = NULL;
	int r;

	r = object_member(root, "WrappedContentKey", &key, e);
	if (r == 0)
		r = parse_kid(key, env, e);
	if (r == 0)
		r = string_member(key, "Algorithm", &alg, e);
	if (r < 0)
		return r;
	if (!wrap_alg_parse(alg, &env->alg))
		return unsupported(e, "wrap algorithm", alg);
	return parse_wrapped(key, env, e);
}

static int
parse_v1(const json_t *root, struct envelope *env, struct err *e)
{
	size_t n = 0;
	int r;

	/*
	 * Region info left in the record is ignored as any member that V1 does not know: what
	 * stops a V2 blob from being read as V1 is the length of its key, and nothing else would
	 * be proof.
	 */
	r = base64_member(root, "ContentEncryptionIV", (struct room){ env->iv, IV_LEN }, &n, e);
	if (r == 0 && n != IV_LEN)
		return malformed(e, "ContentEncryptionIV", "is not 16 bytes long");
	return r;
}

static int
parse_v2(const json_t *root, struct envelope *env, struct err *e)
{
	json_t *info = NULL;
	uint64_t nonce_len;
	int r;

	if (member(root, "ContentEncryptionIV") != NULL)
		return malformed(e, "ContentEncryptionIV", "does not go with the protocol");
	r = object_member(root, "EncryptedRegionInfo", &info, e);
	if (r == 0)
		r = integer_member(info, "DataLength", 1, REGION_LEN_MAX, &env->region_len, e);
	if (r == 0)
		r = integer_member(info, "NonceLength", NONCE_LEN, NONCE_LEN, &nonce_len, e);
	return r;
}

static int
parse_root(const json_t *root, struct envelope *env, struct err *e)
{
	int r = parse_agent(root, env, e);

	if (r == 0)
		r = parse_key(root, env, e);
	if (r == 0)
		r = env->protocol == PROTOCOL_V1 ? parse_v1(root, env, e) : parse_v2(root, env, e);
	return r;
}

int
envelope_parse(struct span json, struct envelope *out, struct err *e)
{
	struct envelope env = { 0 };
	json_error_t why;
	json_t *root;
	int r;

	if (json.n > ENVELOPE_JSON_MAX)
		return malformed(e, "the record", "is too long");
	root = json_loadb(json.n > 0 ? (const char *)json.p : "", json.n,
			  JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
	if (root == NULL)
		return malformed(e, "the record", "is not JSON, or names a member twice");
	r = parse_root(root, &env, e);
	json_decref(root);
	if (r < 0) {
		envelope_clear(&env);
		return r;
	}
	*out = env;
	return 0;
}

int
envelope_copy(const struct envelope *from, struct envelope *out, struct err *e)
{
	struct envelope env = *from;

	env.kid = strdup(from->kid);
	env.wrapped = malloc(from->n_wrapped + 1);
	if (env.kid == NULL || env.wrapped == NULL) {
		envelope_clear(&env);
		return err_set(e, ENOMEM, "out of memory");
	}
	if (from->n_wrapped > 0)
		memcpy(env.wrapped, from->wrapped, from->n_wrapped);
	*out = env;
	return 0;
}

void
envelope_clear(struct envelope *env)
{
	free(env->kid);
	free(env->wrapped);
	*env = (struct envelope){ 0 };
}

const char *
protocol_name(enum protocol p)
{
	return name_of(protocols, ARRAY_LEN(protocols), (int)p);
}

const char *
wrap_alg_name(enum wrap_alg a)
{
	return name_of(wrap_algs, ARRAY_LEN(wrap_algs), (int)a);
}

bool
wrap_alg_parse(const char *name, enum wrap_alg *out)
{
	int value;

	if (!value_of(wrap_algs, ARRAY_LEN(wrap_algs), name, &value))
		return false;
	*out = (enum wrap_alg)value;
	return true;
}

bool
wrap_alg_is_rsa(enum wrap_alg a)
{
	return a == WRAP_RSA_OAEP || a == WRAP_RSA_OAEP_256;
}

bool
envelope_same(const struct envelope *a, const struct envelope *b)
{
	return a->protocol == b->protocol && a->alg == b->alg && a->region_len == b->region_len &&
	       a->n_wrapped == b->n_wrapped && mac_equal(a->wrapped, b->wrapped, a->n_wrapped) &&
	       mac_equal(a->iv, b->iv, sizeof(a->iv)) && strcmp(a->kid, b->kid) == 0;
}
