/* SPDX-License-Identifier: MIT */
/*
 * The options: one table of names, and where their values came from.
 *
 * A name can be given as -o name=value, as a key of a configuration file, and as the environment
 * variable AZCRYPTFS_NAME.  The first of -o, section of the file, head of the file, environment
 * that has the name decides; all values of a repeatable option come from that one place.
 *
 * Values are checked when they are added, so that an error can say where the value came from.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum option_kind {
	OPTION_TEXT,
	OPTION_FILE, /* made absolute: the daemon leaves the directory that it was started in */
	OPTION_FLAG, /* alone, or =yes|no */
	OPTION_SIZE, /* bytes, with K M G */
	OPTION_SECONDS,
	OPTION_COUNT, /* a whole number from 1 */
	OPTION_USER,
	OPTION_GROUP,
	OPTION_MODE, /* octal */
	OPTION_CHOICE,
};

enum option_scope {
	OPTION_OF_SOURCE, /* may differ from section to section */
	OPTION_OF_MOUNT,  /* one for the process */
};

enum option_id {
	OPT_SOURCE,
	OPT_KEYS,
	OPT_VAULT,
	OPT_KEK_ALG,
	OPT_KEY_TTL,
	OPT_V1,
	OPT_UNENCRYPTED,
	OPT_CLEAR_CELLS,
	OPT_DEK_FALLBACK,
	OPT_WITHHELD,
	OPT_STREAM_SIZE,
	OPT_RU,
	OPT_REGION_ORDER,
	OPT_MAX_REGION,
	OPT_BINDING,
	OPT_KEK,
	OPT_WRAP_ALG,
	OPT_PIN,
	OPT_CREDENTIAL,
	OPT_VAULT_CREDENTIAL,
	OPT_STORAGE_KEY_FILE,
	OPT_SAS_FILE,
	OPT_COSMOS_KEY_FILE,
	OPT_COSMOS_TOKEN_FILE,
	OPT_CA_FILE,
	OPT_PROXY,
	OPT_ALLOW_HTTP,
	OPT_MEMORY,
	OPT_TIMEOUT,
	OPT_RO,
	OPT_RW,
	OPT_STAGING,
	OPT_TERM_WAIT,
	OPT_ALLOW_OTHER,
	OPT_UID,
	OPT_GID,
	OPT_UMASK,
	OPT_ATTR_TIMEOUT,
	OPT_NEGATIVE_TIMEOUT,
	OPT_LOG,
	OPT_LOG_LEVEL,
	OPTIONS_N
};

struct option_row {
	const char *name;
	enum option_kind kind;
	enum option_scope scope;
	bool repeats;
	const char *value; /* for the help: "FILE"; for choices: "deny|read" */
	const char *help;  /* one line, says the default */
};

extern const struct option_row options_table[OPTIONS_N];

/* The values of one option from one place. */
struct option_values {
	const char **text; /* n strings and NULL; NULL when n is 0 */
	unsigned n;
	char where[128]; /* "-o", "FILE, line 3", "environment variable AZCRYPTFS_V1" */
};

struct option_layer {
	struct option_values of[OPTIONS_N];
};

struct option_section {
	char *path; /* in the mount; "" is the root */
	struct option_layer layer;
};

struct options {
	struct option_layer line, head,
		env; /* -o; the file before its first section; the environment */
	struct option_section *sections; /* none without a file */
	unsigned n_sections;
};

/* Everything empty.  options_clear frees what was added. */
void options_init(struct options *o);
void options_clear(struct options *o);

/*
 * Adds a value; NULL stands for a name without "=value".  base: the directory that a relative
 * file name starts from, NULL = the current one.  -EINVAL: unknown name, value that does not fit,
 * name given before with another value.  Values of unknown names are not repeated in the
 * sentence: they could be secrets.
 */
int options_add(struct option_layer *layer, const char *name, const char *value, const char *where,
		const char *base, struct err *e) MUST_CHECK;

/*
 * Takes "a,b=c" of -o.  A backslash takes the next character as it is, or three octal digits.
 * Knows fstab's general options.
 */
int options_add_line(struct options *o, const char *text, struct err *e) MUST_CHECK;

/*
 * Takes the AZCRYPTFS_NAME variables; values of a repeatable option are separated by blanks.
 * Empty ones count as absent.
 */
int options_add_environment(struct options *o, char **environment, struct err *e) MUST_CHECK;

/* Reads a configuration file (cli/inifile.c).  -EACCES: others may write it. */
int options_add_file(struct options *o, const char *path, struct err *e) MUST_CHECK;

/*
 * The section of that path, made when it is not there; path has no empty component, "." or ".."
 * (-EINVAL).
 */
int options_section(struct options *o, const char *path, struct option_section **out,
		    struct err *e) MUST_CHECK;

/* The values that decide for a section (NULL: for the mount), NULL when nobody gave any. */
const struct option_values *options_find(const struct options *o, const struct option_section *s,
					 enum option_id id);

#endif
