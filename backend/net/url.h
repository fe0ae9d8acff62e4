/* SPDX-License-Identifier: MIT */
/* URLs: taking them apart strictly, and percent-encoding what goes into them. */
#ifndef BACKEND_NET_URL_H
#define BACKEND_NET_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct url {
	bool https;
	char *host;    /* lower case; IPv6 in brackets; never empty */
	uint16_t port; /* as given, or 443 / 80 */
	bool port_given;
	char *path;  /* as written, still encoded; "" or begins with '/' */
	char *query; /* without '?', NULL when absent; may hold a SAS: never log it */
};

/*
 * -EINVAL: not http(s), user info, fragment, empty or odd host, port out of range, control
 * characters or blanks, longer than 8 KiB.
 */
int url_parse(const char *text, struct url *out, struct err *e) MUST_CHECK;
void url_clear(struct url *u);
#define AUTO_URL struct url CLEANUP(url_clear)

/* "https://host[:port]" without path; the port only when it is not the scheme's. */
int url_origin(const struct url *u, struct buf *out, struct err *e) MUST_CHECK;

/* 127.0.0.0/8, ::1 or the name localhost. */
bool url_is_loopback(const struct url *u);

/* 169.254.0.0/16: where identity endpoints live. */
bool url_is_link_local(const struct url *u);

/* Appends n bytes percent-encoded: unreserved characters stay, and '/' where keep_slash. */
int url_encode(struct buf *out, const char *bytes, size_t n, bool keep_slash,
	       struct err *e) MUST_CHECK;

/* Decodes %XX (and nothing else) in text; -EINVAL on a malformed escape or an encoded NUL. */
int url_decode(struct buf *out, const char *text, size_t n, struct err *e) MUST_CHECK;

#endif
