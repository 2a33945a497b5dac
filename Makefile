# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Each target calls the task of the same name of the harness. A variable on make's command line becomes
# a flag: `make boot-test ARCH=arm64` runs `bpf-streams boot-test --arch='arm64'`. Variables of the
# environment become no flags. `make help` lists the tasks; harness/host/tests/makefile.rs compares both
# lists with the harness.

TASKS := apply bench boot-test cache-key check-series compare demo doctor export help matrix nightly \
	page-test refresh report review setup setup-test shell snapshots-changed test tree tree-tests

VARIABLES := ACCEL ALONE ARCH BASE BOOT CELL CONFIG CPUS JOBS JSON JUNIT KERNEL KTAP OUT QUICK RUNS SINCE STRESS SUITE TEST TREE

# make exports variables of its command line; the harness runs other makes, which would read them
unexport $(VARIABLES) MAKEFLAGS MFLAGS

lower = $(shell echo '$1' | tr A-Z a-z)
flag = --$(call lower,$1)='$(subst ','\'',$(value $1))'
given = $(foreach name,$(VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(if $(value $(name)),$(name))))
FLAGS = $(foreach name,$(given),$(call flag,$(name)))

# the first build takes a minute and shows its progress; later builds print nothing
QUIET := $(if $(wildcard harness/target/release/bpf-streams),--quiet)

.DEFAULT_GOAL := help
.PHONY: $(TASKS)
$(TASKS):
	@harness/check-paths.sh
	@harness/ensure-linker.sh
	@cargo run $(QUIET) --release --locked --manifest-path harness/Cargo.toml \
		-p bpf-streams-host -- $@ $(FLAGS)
