# azcryptfs: one Makefile, no recursion.  `make help` lists the targets.
#
#   CC=clang-14      another compiler          SAN=address,undefined   sanitizers (own build directory)
#   BUILD=dir        where everything goes     WERROR=1                warnings are errors (CI)
#   V=1              show the commands         CFLAGS=...              come last and win

CC      ?= gcc
SAN     ?=
BUILD   ?= build$(if $(SAN),-$(subst $(comma),-,$(SAN)))
PREFIX  ?= /usr/local
comma   := ,
VERSION := $(shell cat VERSION)

DIRS    := base crypto backend/net backend/store backend/keys backend fs cli
LIBS    := fuse3 libcrypto libssl libcurl jansson expat inih
PKG     := $(shell pkg-config --cflags $(LIBS) 2>/dev/null)
LDLIBS  := $(shell pkg-config --libs $(LIBS) 2>/dev/null) -lm -pthread

cc-option = $(shell $(CC) -Werror $(1) -S -x c -o /dev/null /dev/null 2>/dev/null && echo $(1))

WARN    := -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual \
           -Wformat=2 -Wundef -Wconversion $(if $(WERROR),-Werror)
HARDEN  := $(if $(SAN),,-D_FORTIFY_SOURCE=3) -fstack-protector-strong -fstack-clash-protection \
           -fcf-protection=full $(call cc-option,-ftrivial-auto-var-init=zero) -fPIE
OPT     := $(if $(SAN),-O1 -g -fno-omit-frame-pointer -fsanitize=$(SAN) $(if $(findstring undefined,$(SAN)),-fno-sanitize-recover=undefined),-O2 -g)
ALLCF    = -std=gnu17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I. -DAZCRYPTFS_VERSION='"$(VERSION)"' \
           $(WARN) $(OPT) $(HARDEN) $(PKG) -pthread -MMD -MP $(CFLAGS)
ALLLF    = $(if $(SAN),-fsanitize=$(SAN)) -pie -Wl,-z,relro,-z,now,-z,noexecstack $(LDFLAGS)
Q       := $(if $(V),,@)
say      = @$(if $(V),true,printf '  %-8s %s\n' $(1) $(2))

srcs     = $(sort $(wildcard $(1)/*.c))
objs     = $(patsubst %.c,$(BUILD)/%.o,$(call srcs,$(1)))
lib      = $(BUILD)/$(subst /,-,$(1)).a
ARCHIVES := $(foreach d,$(DIRS),$(call lib,$(d)))

all: $(BUILD)/azcryptfs

# ---- the program -------------------------------------------------------------------------------

define archive
$(call lib,$(1)): $(call objs,$(1))
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach d,$(DIRS),$(eval $(call archive,$(d))))

$(BUILD)/%.o: %.c $(BUILD)/.config
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALLCF) -c -o $@ $<

$(BUILD)/azcryptfs: $(ARCHIVES)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALLLF) -o $@ $(BUILD)/cli/main.o -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LDLIBS)

# Objects are made again when the flags change.
$(BUILD)/.config: FORCE
	@mkdir -p $(BUILD)
	@echo '$(CC) $(subst ','\'',$(ALLCF)) $(ALLLF)' | cmp -s - $@ || echo '$(CC) $(subst ','\'',$(ALLCF)) $(ALLLF)' > $@
FORCE:

# ---- C tests: one program a file, linked with what lies at or below its room -----------------------

UNIT     := $(wildcard tests/unit/*/test_*.c)
CONTRACT := $(wildcard tests/contract/test_*.c)
SUPPORT  := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/support/*.c))
CONTRACT_SUPPORT := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(CONTRACT),$(wildcard tests/contract/*.c)))
UNIT_BIN := $(UNIT:%.c=$(BUILD)/%)
CONTRACT_BIN := $(CONTRACT:%.c=$(BUILD)/%)

below_base     := base
below_crypto   := base crypto
below_net      := $(below_crypto) backend/net
below_store    := $(below_net) backend/store
below_keys     := $(below_net) backend/keys
below_backend  := $(below_net) backend/store backend/keys backend
below_contract := $(below_backend)
below_fs       := $(below_backend) fs
below_cli      := $(below_fs) cli

room     = $(notdir $(patsubst %/,%,$(dir $(1))))
archives_of = $(foreach d,$(below_$(call room,$(1))),$(call lib,$(d)))

define ctest
$(BUILD)/$(1): $(BUILD)/$(1).o $(SUPPORT) $(if $(filter tests/contract/%,$(1)),$(CONTRACT_SUPPORT)) $(call archives_of,$(1))
	$$(call say,LD,$$@)
	$$(Q)$(CC) $(ALLLF) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $(LDLIBS) -lcmocka
endef
$(foreach t,$(UNIT:%.c=%) $(CONTRACT:%.c=%),$(eval $(call ctest,$(t))))

run_tests = @set -e; for t in $(1); do printf '  %-8s %s\n' TEST $$t; $(2) $$t > $(BUILD)/test.log 2>&1 || \
	{ cat $(BUILD)/test.log; echo "FAILED: $$t"; exit 1; }; grep -hE '\[  (PASSED|SKIPPED)  \]' $(BUILD)/test.log || true; done

unit: $(UNIT_BIN)
	$(call run_tests,$(UNIT_BIN))
unit-%:
	$(Q)$(MAKE) --no-print-directory unit UNIT="$(wildcard tests/unit/$*/test_*.c)"
contract: $(CONTRACT_BIN) $(BUILD)/.venv
	$(Q)$(PYTEST) tests/contract

# ---- Python tests: the program, mounted -------------------------------------------------------------

VENV   := build/venv
PYTEST  = AZC_BINARY=$(abspath $(BUILD))/azcryptfs AZC_BUILD=$(abspath $(BUILD)) AZC_SLOW=$(if $(SAN),5,1) $(VENV)/bin/python -m pytest -q -p no:cacheprovider

$(BUILD)/.venv: tests/requirements.txt tests/package-lock.json tests/support/setup.sh
	$(Q)tests/support/setup.sh
	$(Q)mkdir -p $(BUILD) && touch $@

# These wait more than they compute, and each has servers of its own: two at a time.
TWO_AT_A_TIME := -n 2 --dist loadfile
DOCUMENTS_MOUNT := $(wildcard tests/mount/test_document*.py) tests/mount/test_feed.py tests/mount/test_export.py
DOCUMENTS := $(DOCUMENTS_MOUNT) $(wildcard tests/attack/test_document*.py) $(wildcard tests/interop/test_cosmos*.py)
WRITING_MOUNT := $(filter-out tests/mount/test_writing_large.py,$(wildcard tests/mount/test_writ*.py)) tests/mount/test_put.py
WRITING := $(WRITING_MOUNT) $(wildcard tests/attack/test_write*.py) tests/attack/test_binding.py
# What the official clients read of what was written: `make interop`.
ORACLES := $(wildcard tests/interop/test_*_written.py tests/interop/test_java*.py)

mount: $(BUILD)/azcryptfs $(BUILD)/.venv
	$(Q)$(PYTEST) $(TWO_AT_A_TIME) $(DOCUMENTS_MOUNT) $(WRITING_MOUNT)
	$(Q)$(PYTEST) tests/support tests/mount $(patsubst %,--ignore=%,$(DOCUMENTS_MOUNT) $(WRITING_MOUNT))
attack: $(BUILD)/azcryptfs $(BUILD)/.venv
	$(Q)$(PYTEST) tests/attack
# With the official Java clients, whose set-up `make test` does without.
interop: $(BUILD)/azcryptfs $(BUILD)/.venv
	$(Q)tests/support/setup_java.sh
	$(Q)AZC_REQUIRE_JAVA=1 $(PYTEST) $(TWO_AT_A_TIME) $(ORACLES)

test: $(BUILD)/azcryptfs $(BUILD)/tests/fsx/fsx $(BUILD)/tests/fsx/faults.so $(UNIT_BIN) $(CONTRACT_BIN) $(BUILD)/.venv
	$(call run_tests,$(UNIT_BIN))
	$(Q)$(MAKE) --no-print-directory fuzz-replay
	$(Q)$(PYTEST) $(TWO_AT_A_TIME) tests/emulators $(DOCUMENTS) $(WRITING)
	$(Q)$(PYTEST) tests/support tests/contract tests/mount tests/attack tests/interop tests/fsx \
		$(patsubst %,--ignore=%,$(DOCUMENTS) $(WRITING) $(ORACLES))

# A random tester of what a mount writes; `make fsx` takes as long as a million operations do.
$(BUILD)/tests/fsx/fsx: $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/fsx/*.c))
	$(call say,LD,$@)
	$(Q)$(CC) $(ALLLF) -o $@ $^
$(BUILD)/tests/fsx/faults.so: tests/fsx/preload/faults.c $(BUILD)/.config
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -fPIE,$(ALLCF)) -fPIC -shared -Wl,-z,now -o $@ $< -ldl
FSX := $(BUILD)/tests/fsx/fsx $(BUILD)/tests/fsx/faults.so
FSX_OPS ?= 1000000
fsx: $(BUILD)/azcryptfs $(FSX) $(BUILD)/.venv
	$(Q)AZC_FSX_OPS=$(FSX_OPS) $(PYTEST) tests/fsx

demo: $(BUILD)/azcryptfs
	$(Q)examples/demo.sh $(BUILD)/azcryptfs

# ---- sanitizers -------------------------------------------------------------------------------------

# All that runs the program's own code; not the tests of the emulators and of what the official clients read.
sanitized: $(BUILD)/azcryptfs $(UNIT_BIN) $(CONTRACT_BIN) $(BUILD)/.venv
	$(call run_tests,$(UNIT_BIN))
	$(Q)$(MAKE) --no-print-directory fuzz-replay
	$(Q)$(PYTEST) $(TWO_AT_A_TIME) $(DOCUMENTS) $(WRITING)
	$(Q)$(PYTEST) tests/contract tests/mount tests/attack $(patsubst %,--ignore=%,$(DOCUMENTS) $(WRITING))
asan:
	$(Q)$(MAKE) --no-print-directory SAN=address,undefined sanitized
tsan:
	$(Q)$(MAKE) --no-print-directory SAN=thread unit mount
valgrind: $(UNIT_BIN)
	$(call run_tests,$(filter-out %/test_pool,$(UNIT_BIN)),valgrind -q --leak-check=full --error-exitcode=99)

# ---- fuzzing: `make fuzz` runs each target FUZZ_SECONDS with clang; the corpus is replayed by `make test` -----

FUZZ    := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SECONDS ?= 30
FUZZCC  ?= clang-14
FUZZ_DIRS := $(below_fs)

$(BUILD)/tests/fuzz/replay_%: tests/fuzz/fuzz_%.c tests/fuzz/replay.c $(foreach d,$(FUZZ_DIRS),$(call lib,$(d)))
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALLCF) $(ALLLF) -o $@ $(filter %.c,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS)
fuzz-replay: $(FUZZ:%=$(BUILD)/tests/fuzz/replay_%)
	@set -e; for f in $(FUZZ); do printf '  %-8s %s\n' REPLAY $$f; $(BUILD)/tests/fuzz/replay_$$f tests/fuzz/corpus/$$f; done
fuzz: $(FUZZ:%=fuzz-%)
fuzz-%: tests/fuzz/fuzz_%.c
	@mkdir -p build-fuzz/corpus/$*
	$(Q)$(FUZZCC) $(filter-out -fstack-clash-protection -fcf-protection=full -ftrivial-auto-var-init=zero -MMD -MP -O2,$(ALLCF)) -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		-o build-fuzz/$* $< $(foreach d,$(FUZZ_DIRS),$(call srcs,$(d))) $(LDLIBS)
	$(Q)build-fuzz/$* -max_total_time=$(FUZZ_SECONDS) -timeout=1 -rss_limit_mb=512 -print_final_stats=1 build-fuzz/corpus/$* tests/fuzz/corpus/$*

# ---- the rest -------------------------------------------------------------------------------------------

lint:
	$(Q)tests/lint/run.sh
bench: $(BUILD)/azcryptfs $(BUILD)/bench/document
	$(Q)bench/run.sh $(BUILD)/azcryptfs
bench-documents: $(BUILD)/azcryptfs $(BUILD)/bench/document
	$(Q)BENCH_OF=documents bench/run.sh $(BUILD)/azcryptfs
# What a document costs, alone.
$(BUILD)/bench/document: bench/document.c $(call lib,crypto) $(call lib,base)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALLCF) $(ALLLF) -o $@ $< $(filter %.a,$^) $(LDLIBS)
bench-document: $(BUILD)/bench/document
	$(Q)$<
install: $(BUILD)/azcryptfs
	install -D -m 755 $(BUILD)/azcryptfs $(DESTDIR)$(PREFIX)/bin/azcryptfs
	install -D -m 644 docs/azcryptfs.1 $(DESTDIR)$(PREFIX)/share/man/man1/azcryptfs.1
clean:
	rm -rf build build-* 
help:
	@echo 'make all        the program: build/azcryptfs'
	@echo 'make demo       mounts the sample data of examples/ and shows what it does'
	@echo 'make test       all tests (sets up Python and Azurite under build/)'
	@echo 'make unit       C unit tests      make unit-crypto   those of one room'
	@echo 'make contract mount attack interop   the other suites'
	@echo 'make fsx        a million random operations on mounts that write'
	@echo 'make asan tsan valgrind fuzz lint    checks        make bench   figures as ratios'
	@echo 'make install PREFIX=/usr/local DESTDIR=            make clean'

.PHONY: sanitized all unit contract mount attack interop fsx test demo asan tsan valgrind fuzz fuzz-replay lint bench bench-document bench-documents install clean help FORCE
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
