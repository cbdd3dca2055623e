//go:build !linux

package main

import (
	"context"
	"errors"
)

func overHTTP(context.Context, *lab) (result, error) {
	return result{}, errors.New("the load generator speaks with Linux's kernel: measure on Linux, or with -only")
}

func nodes(context.Context, *lab) (result, error) {
	return result{}, errors.New("the load generator speaks with Linux's kernel: measure on Linux, or with -only")
}

func manage(context.Context, *lab) (result, error) {
	return result{}, errors.New("the load generator speaks with Linux's kernel: measure on Linux, or with -only")
}

func quietTenants(context.Context, *lab) (result, error) {
	return result{}, errors.New(
		"its server and its callers have a processor each by Linux's means: measure on Linux, or with -only",
	)
}

func followers(context.Context, *lab) (result, error) {
	return result{}, errors.New("the load generator speaks with Linux's kernel: measure on Linux, or with -only")
}

func revocations(context.Context, *lab) (result, error) {
	return result{}, errors.New("the load generator speaks with Linux's kernel: measure on Linux, or with -only")
}

func joining(context.Context, *lab) (result, error) {
	return result{}, errors.New("the load generator speaks with Linux's kernel: measure on Linux, or with -only")
}

func manyFollowers(context.Context, *lab) (result, error) {
	return result{}, errors.New("the load generator speaks with Linux's kernel: measure on Linux, or with -only")
}

func webhooks(context.Context, *lab) (result, error) {
	return result{}, errors.New("the load generator speaks with Linux's kernel: measure on Linux, or with -only")
}
