# One Makefile, not recursive.
#   make          the four programs, in build/release
#   make asan     the same with ASan and UBSan, in build/asan
#   make check    the tests of the sanitizer build (a private PostgreSQL is started for them)
#   make lint     the gates; `make lint FULL=1` runs clang-tidy over every file
#   make demo     scripts/demo
#   make bench    the measurements, one after the other (bench/README.md); make bench-outbound, make bench-isolation
#   make install  into $(DESTDIR)$(PREFIX)
#   BUILD=release (default) | asan | coverage (scripts/coverage)

BUILD ?= release
B := build/$(BUILD)
CC := gcc
LIBRARIES := libmicrohttpd libcurl libcares jansson libssl libcrypto libpq libuv libsystemd
CPPFLAGS := -Isrc -Iexamples -D_GNU_SOURCE $(shell pkg-config --cflags $(LIBRARIES))
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Werror
CFLAGS := -std=gnu17 -g -fno-omit-frame-pointer $(WARNINGS)
LDLIBS := $(shell pkg-config --libs $(LIBRARIES)) -linih -lpthread

ifeq ($(BUILD),asan)
CFLAGS += -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
CPPFLAGS += -DVENDGATE_CRASH_POINTS
LDFLAGS += -fsanitize=address,undefined
else ifeq ($(BUILD),coverage)
CFLAGS += -O0 --coverage
LDFLAGS += --coverage
else
CFLAGS += -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
LDFLAGS += -pie -Wl,-z,relro,-z,now
endif

# Layers, bottom up; a folder links only what is below it.
FOLDERS := base txn net store machine_link outbound fleet people broker gateway
objects = $(patsubst %.c,$(B)/%.o,$(wildcard src/$(1)/*.c))
archive = $(B)/lib$(1).a
ARCHIVES_TOP_DOWN := $(foreach f,gateway broker people fleet outbound machine_link store net txn base,$(call archive,$(f)))

UNIT_SOURCES := $(wildcard tests/unit/*/test_*.c)
UNIT_TESTS := $(UNIT_SOURCES:tests/unit/%.c=$(B)/tests/unit/%)

PREFIX ?= /usr/local
PYTHON := /usr/bin/python3

.PHONY: all asan unit unit-programs integration integration-programs simulate bench bench-programs bench-outbound \
    bench-isolation check lint flags demo install clean
all: $(B)/vendgated $(B)/vendctl $(B)/vendsim $(B)/sample_integrator

# The migrations and the audit are built in by the assembler, which tells make nothing of the files that it reads.
$(B)/src/store/migrations.o: $(wildcard sql/migrations/*.sql)
$(B)/src/store/tool_audit.o: $(wildcard sql/audit/*.sql)

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

define folder_rule
$(call archive,$(1)): $(call objects,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	ar rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_rule,$(f))))

$(B)/vendgated: $(patsubst %.c,$(B)/%.o,$(wildcard src/vendgated*.c)) $(ARCHIVES_TOP_DOWN)
	$(CC) $(LDFLAGS) $(filter %.o,$^) $(ARCHIVES_TOP_DOWN) $(LDLIBS) -o $@

$(B)/vendctl: $(call objects,vendctl) $(ARCHIVES_TOP_DOWN)
	$(CC) $(LDFLAGS) $(filter %.o,$^) $(ARCHIVES_TOP_DOWN) $(LDLIBS) -o $@

$(B)/vendsim: $(call objects,vendsim) $(call archive,base)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -lmosquitto -o $@

$(B)/sample_integrator: $(patsubst %.c,$(B)/%.o,$(wildcard examples/sample_integrator/*.c)) $(call archive,base)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

# A unit test of folder F links F and what F may include; the linker takes only what is used.
below_base := base
below_txn := txn base
below_net := net txn base
below_store := store txn base
below_machine_link := machine_link net txn base
below_outbound := outbound txn base
below_fleet := fleet store machine_link net outbound txn base
below_people := people store txn base
below_broker := broker people fleet outbound machine_link store net txn base
below_gateway := gateway broker people fleet outbound machine_link store net txn base

define unit_rule
$(B)/tests/unit/$(1)/%: $(B)/tests/unit/$(1)/%.o $(foreach f,$(below_$(1)),$(call archive,$(f)))
	$(CC) $(LDFLAGS) $$< $(foreach f,$(below_$(1)),$(call archive,$(f))) $(LDLIBS) -lcheck -lsubunit -lrt -lm -o $$@
endef
$(foreach f,$(FOLDERS),$(eval $(call unit_rule,$(f))))

# The unit tests of a program link its objects, all but main.
define program_unit_rule
$(B)/tests/unit/$(1)/%: $(B)/tests/unit/$(1)/%.o $(filter-out %/main.o,$(patsubst %.c,$(B)/%.o,$(wildcard $(2)/*.c))) $(call archive,base)
	$(CC) $(LDFLAGS) $$^ $(LDLIBS) -lmosquitto -lcheck -lsubunit -lrt -lm -o $$@
endef
$(eval $(call program_unit_rule,vendsim,src/vendsim))
$(eval $(call program_unit_rule,sample_integrator,examples/sample_integrator))

unit-programs: $(UNIT_TESTS)

unit: unit-programs
	@scripts/unit $(UNIT_TESTS)

# The store on a real PostgreSQL; tests/integration/test_store.py gives it one.
STORE_TEST := $(B)/tests/integration/store/run
$(STORE_TEST): $(patsubst %.c,$(B)/%.o,$(wildcard tests/integration/store/*.c)) $(foreach f,$(below_store),$(call archive,$(f)))
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -lcheck -lsubunit -lrt -lm -o $@

integration-programs: $(STORE_TEST)

# The production txn, broker and sender in a simulated world: what is simulated takes the place of the archives' parts.
SIMULATE := $(B)/tests/simulation/simulate
SIMULATE_OBJECTS := $(patsubst %.c,$(B)/%.o,$(wildcard tests/simulation/*.c))
SIMULATE_PARTS := $(foreach f,broker people fleet outbound machine_link txn base,$(call archive,$(f)))
$(SIMULATE): $(SIMULATE_OBJECTS) $(SIMULATE_PARTS)
	$(CC) $(LDFLAGS) $(SIMULATE_OBJECTS) $(SIMULATE_PARTS) $(LDLIBS) -o $@

# make simulate [EVENTS=N] [SEED=N] [TRACE=1] [COVERAGE=1]
simulate: $(SIMULATE)
	$(SIMULATE) $(if $(SEED),--seed $(SEED)) $(if $(EVENTS),--events $(EVENTS)) $(if $(TRACE),--trace) $(if $(COVERAGE),--coverage)

# The measurements (bench/README.md): production archives between a source of events and the integrators' servers.
BENCH := $(foreach p,source sink sender,$(B)/bench/$(p)/$(p))
bench_objects = $(patsubst %.c,$(B)/%.o,$(wildcard bench/$(1)/*.c bench/lib/*.c))
$(B)/bench/%.o: CPPFLAGS += -I.
$(B)/bench/source/source: $(call bench_objects,source) $(call archive,base)
$(B)/bench/sink/sink: $(call bench_objects,sink) $(call archive,base)
$(B)/bench/sender/sender: $(call bench_objects,sender) $(foreach f,outbound store txn base,$(call archive,$(f)))
$(BENCH):
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

bench-programs: $(BENCH) $(B)/vendctl

bench-outbound bench-isolation: bench-%: bench-programs
	bench/$*

bench: bench-outbound bench-isolation

integration: all integration-programs
	VENDGATE_BUILD=$(BUILD) $(PYTHON) -m pytest -q tests/integration

asan:
	$(MAKE) BUILD=asan all

check:
	$(MAKE) BUILD=asan unit integration

lint:
	scripts/lint/all $(if $(FULL),--full)

# For the lint gates: what every file is compiled with.
flags:
	@echo $(CPPFLAGS) -std=gnu17 $(WARNINGS)

demo:
	scripts/demo

DOCUMENTS := README.md LICENSE $(wildcard docs/*.md docs/*.yaml deploy/*.ini)
UNITS := $(wildcard deploy/systemd/*.service deploy/systemd/*.timer)

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/doc/vendgate $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 755 $(B)/vendgated $(B)/vendctl $(B)/vendsim $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(DOCUMENTS) $(DESTDIR)$(PREFIX)/share/doc/vendgate
	for unit in $(UNITS); do sed 's|/usr/local/bin|$(PREFIX)/bin|' $$unit \
	    >$(DESTDIR)$(PREFIX)/lib/systemd/system/$${unit##*/}; done

clean:
	rm -rf build

-include $(shell find build/$(BUILD) -name '*.d' 2>/dev/null)
