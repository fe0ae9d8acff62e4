/* SPDX-License-Identifier: MIT */
/* What a container tells of its policy and keys, as files and attributes: see docbox.h. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/docboxfile.h"

int
docbox_policy_text(struct docbox *b, struct buf *out, struct err *e)
{
	return buf_add_str(out, b->def.policy_text, e);
}

static int
describe_key(struct docbox *b, const struct dockeys *k, size_t i, json_t *list, struct err *e)
{
	const struct dockeys_dek *dek = &k->dek[i];
	char fingerprint[DEK_FINGERPRINT_LEN + 1] = "";
	struct keychest_entry *x = calloc(1, sizeof(*x));
	json_t *o = json_object();
	int r = x == NULL || o == NULL ? err_set(e, ENOMEM, "out of memory") : 0;

	if (r == 0 && dek->open != NULL)
		r = dek_fingerprint(dek->open->keys, fingerprint, e);
	if (r < 0) {
		json_decref(o);
		free(x);
		return r;
	}
	keychest_entry(b->chest, i, x);
	(void)json_object_set_new(o, "id", json_string(x->id));
	(void)json_object_set_new(o, "key_id", json_string(x->kid));
	(void)json_object_set_new(o, "state",
				  json_string(dek->open != NULL ? "open"
					      : dek->withheld	? "withheld"
								: "failed"));
	if (dek->open != NULL)
		(void)json_object_set_new(o, "fingerprint", json_string(fingerprint));
	else
		(void)json_object_set_new(o, "why", json_string(dek->why.text));
	free(x);
	return json_array_append_new(list, o) == 0 ? 0 : err_set(e, ENOMEM, "out of memory");
}

int
docbox_keys_text(struct docbox *b, const struct dockeys *k, struct buf *out, struct err *e)
{
	json_t *list = json_array();
	char *text = NULL;
	int r = list == NULL ? err_set(e, ENOMEM, "out of memory") : 0;

	for (size_t i = 0; r == 0 && i < k->n_deks; i++)
		r = describe_key(b, k, i, list, e);
	if (r == 0)
		text = json_dumps(list, JSON_INDENT(2));
	if (r == 0 && text == NULL)
		r = err_set(e, ENOMEM, "out of memory");
	if (r == 0)
		r = buf_addf(out, e, "%s\n", text);
	free(text);
	json_decref(list);
	return r;
}

static bool
holds_word(const char *words, const char *word)
{
	const size_t n = strlen(word);

	for (const char *p = words; (p = strstr(p, word)) != NULL; p += n)
		if ((p == words || p[-1] == ' ') && (p[n] == '\0' || p[n] == ' '))
			return true;
	return false;
}

void
docbox_kek_ids(struct docbox *b, char *out, size_t out_n)
{
	struct keychest_entry *x = calloc(1, sizeof(*x));
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; x != NULL && i < keychest_count(b->chest) && at < out_n; i++) {
		keychest_entry(b->chest, i, x);
		if (x->kid[0] != '\0' && !holds_word(out, x->kid))
			at += (size_t)snprintf(out + at, out_n - at, "%s%s", at > 0 ? " " : "",
					       x->kid);
	}
	free(x);
}

void
docbox_sibling_id(const struct dockeys *k, size_t path, unsigned i, char *out, size_t out_n)
{
	const struct dockeys_dek *dek = &k->dek[k->dek_of[path]];

	(void)snprintf(out, out_n, "%s", i < dek->n_siblings ? dek->sibling[i]->id : "");
}
