/* SPDX-License-Identifier: MIT */
/* Members of records: see member.h. */
#include "crypto/member.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "base/base64.h"

int
member_malformed(const struct record *rec, const char *name, const char *sentence, struct err *e)
{
	(void)err_set(e, EBADMSG, "%s: %s %s", rec->what, name, sentence);
	return err_mark(e, rec->event, NULL);
}

int
member_unsupported(const struct record *rec, const char *thing, const char *name, struct err *e)
{
	(void)err_set(e, EOPNOTSUPP, "%s: %s \"%.40s\" is not supported", rec->what, thing, name);
	return err_mark(e, "policy.unsupported", NULL);
}

int
member_root(const struct record *rec, struct span json, size_t max, json_t **out, struct err *e)
{
	json_t *root;

	if (json.n > max)
		return member_malformed(rec, "the record", "is too long", e);
	root = json_loadb(json.n > 0 ? (const char *)json.p : "", json.n,
			  JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	if (root == NULL)
		return member_malformed(rec, "the record", "is not JSON, or names a member twice",
					e);
	if (!json_is_object(root)) {
		json_decref(root);
		return member_malformed(rec, "the record", "is no object", e);
	}
	*out = root;
	return 0;
}

json_t *
member_find(const json_t *object, const char *name)
{
	json_t *v = json_object_get(object, name);

	return json_is_null(v) ? NULL : v;
}

int
member_object(const struct record *rec, const json_t *object, const char *name, json_t **out,
	      struct err *e)
{
	json_t *v = member_find(object, name);

	if (!json_is_object(v))
		return member_malformed(rec, name, v == NULL ? "is missing" : "is no object", e);
	*out = v;
	return 0;
}

int
member_array(const struct record *rec, const json_t *object, const char *name, json_t **out,
	     struct err *e)
{
	json_t *v = member_find(object, name);

	if (!json_is_array(v))
		return member_malformed(rec, name, v == NULL ? "is missing" : "is no array", e);
	*out = v;
	return 0;
}

int
member_string(const struct record *rec, const json_t *object, const char *name, const char **out,
	      struct err *e)
{
	const json_t *v = member_find(object, name);

	if (!json_is_string(v))
		return member_malformed(rec, name, v == NULL ? "is missing" : "is no string", e);
	if (strlen(json_string_value(v)) != json_string_length(v))
		return member_malformed(rec, name, "holds a NUL", e);
	*out = json_string_value(v);
	return 0;
}

int
member_integer(const struct record *rec, const json_t *object, const char *name, uint64_t min,
	       uint64_t max, uint64_t *out, struct err *e)
{
	const json_t *v = member_find(object, name);
	json_int_t i;

	if (!json_is_integer(v))
		return member_malformed(rec, name, v == NULL ? "is missing" : "is no integer", e);
	i = json_integer_value(v);
	if (i < 0 || (uint64_t)i < min || (uint64_t)i > max)
		return member_malformed(rec, name, "is out of range", e);
	*out = (uint64_t)i;
	return 0;
}

int
member_base64(const struct record *rec, const json_t *object, const char *name, struct room room,
	      size_t *out_n, struct err *e)
{
	const char *text = NULL;
	size_t n;
	int r = member_string(rec, object, name, &text, e);

	if (r < 0)
		return r;
	if (!base64_decode(BASE64_STANDARD, span_str(text), room, &n) || n == 0)
		return member_malformed(rec, name, "is no base64 of a fitting length", e);
	*out_n = n;
	return 0;
}
