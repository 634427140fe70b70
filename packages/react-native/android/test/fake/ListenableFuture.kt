package com.google.common.util.concurrent

interface ListenableFuture<V> {
  fun get(): V
}
