package com.nexusstore.reactnative

/** The smallest of test runners: no dependency, one line for each failure, a count at the end. */
internal class Suite {
  var passed = 0
  val failures = mutableListOf<String>()

  fun test(name: String, body: () -> Unit) {
    try {
      body()
      passed++
    } catch (failure: Throwable) {
      failures += "$name: $failure"
    }
  }
}

internal fun expectEqual(actual: Any?, expected: Any?) {
  if (actual != expected) throw AssertionError("expected $expected, got $actual")
}

fun main(arguments: Array<String>) {
  @Suppress("UNCHECKED_CAST")
  val cases = Json(java.io.File(arguments[0]).readText()).value() as Map<String, Any?>
  val suite = Suite()
  mappingTests(suite, cases)
  schedulerTests(suite)
  runTests(suite)
  suite.failures.forEach { println("FAIL $it") }
  println("kotlin: ${suite.passed} passed, ${suite.failures.size} failed")
  System.exit(if (suite.failures.isEmpty()) 0 else 1)
}
