/* SPDX-License-Identifier: MIT */
/* Names of documents in a directory: see docname.h. */
#include "backend/store/docname.h"

#include <errno.h>

#include "backend/store/partition.h"
#include "base/jsonscan.h"
#include "crypto/mac.h"

const char docname_suffix[] = ".json";

static const char digits[] = "0123456789ABCDEF";

int
docname_of(struct span partition, struct span id, struct docname *out, struct err *e)
{
	uint8_t of_partition[SHA256_LEN], of_id[SHA256_LEN];
	int r = sha256(partition, of_partition, e);

	if (r == 0)
		r = sha256(id, of_id, e);
	if (r < 0)
		return r;
	memcpy(out->b, of_partition, DOCNAME_PARTITION);
	memcpy(out->b + DOCNAME_PARTITION, of_id, DOCNAME_BYTES - DOCNAME_PARTITION);
	return 0;
}

int
docname_of_document(const struct container_def *def, const struct document_head *head,
		    struct buf *partition, struct docname *out, struct err *e)
{
	AUTO_BUF id;
	int r;

	if (head->id.p == NULL) {
		(void)err_set(e, EBADMSG, "the document has no id");
		return err_mark(e, "integrity.document", NULL);
	}
	buf_init(&id, DOCUMENT_TEXT_MAX);
	r = jsonscan_unescape(head->id, &id, e);
	if (r == 0)
		r = partition_of(def, head, partition, e);
	return r < 0 ? r : docname_of(buf_span(partition), buf_span(&id), out, e);
}

void
docname_print(const struct docname *n, char out[static DOCNAME_TEXT + 1])
{
	char *to = out;

	for (unsigned i = 0; i < DOCNAME_BYTES; i++) {
		if (i == DOCNAME_PARTITION)
			*to++ = '-';
		*to++ = digits[n->b[i] >> 4];
		*to++ = digits[n->b[i] & 15];
	}
	*to = '\0';
}

static int
digit_value(char c)
{
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

bool
docname_parse(const char *text, size_t n, struct docname *out)
{
	struct docname found;

	if (n != DOCNAME_TEXT || text[DOCNAME_EPK] != '-')
		return false;
	for (unsigned i = 0; i < DOCNAME_BYTES; i++) {
		const char *at = text + 2 * i + (i >= DOCNAME_PARTITION ? 1 : 0);
		const int high = digit_value(at[0]), low = digit_value(at[1]);

		if (high < 0 || low < 0)
			return false;
		found.b[i] = (uint8_t)(high << 4 | low);
	}
	*out = found;
	return true;
}
