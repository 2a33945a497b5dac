// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF_PROG_STREAM_OPEN: "a new descriptor, read-only, close-on-exec, anon_inode:bpf-stream, O_NONBLOCK if
 * asked for. A descriptor keeps the stream and its text, never the program. All descriptors and the read
 * command share one position." How readers wait with it is tested by waiting.bpf.c.
 */
#include "wanted.h"

/* Every error of the command, and the attributes that it accepts. */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(stream_fd_errors)
int invalid_opens(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* A reader that is not built for this kernel takes the number of the command from BTF. */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(stream_fd_by_btf)
int number_from_btf(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* Flags, name, and the calls that a stream does not support. */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(stream_fd_properties)
int properties(struct wanted *wanted)
{
	return print_wanted(wanted);
}

SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(stream_fd_fdinfo)
int fdinfo(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* Parts of records, several records, nothing, bad buffers. */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(stream_fd_reads)
int reads(struct wanted *wanted)
{
	return print_wanted(wanted);
}

SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(stream_fd_lengths)
int longer_than_int_max(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* readv() */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(stream_fd_vectors)
int vectors(struct wanted *wanted)
{
	return print_wanted(wanted);
}

SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(stream_fd_shared)
int shared_position(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* The program is freed with text left in its streams. */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(stream_fd_end)
int end_of_file(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* A program that cannot print has streams, too. */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(stream_fd_end_silent)
int end_of_silence(struct wanted *wanted)
{
	return wanted->stdout_lines > 1;
}

/* What ends a read that sleeps: a print, a signal, the end of the program. */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(stream_fd_blocking)
int blocking(struct wanted *wanted)
{
	return print_wanted(wanted);
}

SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(stream_fd_blocking_silent)
int blocking_silence(struct wanted *wanted)
{
	return wanted->stdout_lines > 1;
}

SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(stream_fd_blocking_two)
int two_readers(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* The reader is killed in its read. */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(stream_fd_killed)
int killed(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* By fork(). */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(stream_fd_fork)
int inherited(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* Over a UNIX socket. */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(stream_fd_socket)
int handed_over(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* To a process without capabilities. */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__requires(user_namespaces)
__scenario(stream_fd_user_namespace)
int in_user_namespace(struct wanted *wanted)
{
	return print_wanted(wanted);
}

SEC("syscall") __not_in_mainline("it has no stream descriptors")
__requires(io_uring)
__scenario(stream_fd_io_uring)
int io_uring(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* The program is freed at any moment of its readers. */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__requires(two_cpus)
__scenario(stream_fd_removed)
int removed(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* Nothing is left when programs and descriptors are closed, in any order. */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(stream_fd_memory)
int load_remove(struct wanted *wanted)
{
	return print_wanted(wanted);
}
