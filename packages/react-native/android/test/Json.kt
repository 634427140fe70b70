package com.nexusstore.reactnative

/** Reads JSON into maps, lists, strings, doubles, booleans and null: what the bridge hands over. */
internal class Json(private val text: String) {
  private var at = 0

  fun value(): Any? {
    space()
    return when (text[at]) {
      '{' -> members()
      '[' -> elements()
      '"' -> string()
      't' -> word("true", true)
      'f' -> word("false", false)
      'n' -> word("null", null)
      else -> number()
    }
  }

  private fun members(): Map<String, Any?> {
    val result = linkedMapOf<String, Any?>()
    at++
    space()
    while (text[at] != '}') {
      space()
      val key = string()
      space()
      at++
      result[key] = value()
      space()
      if (text[at] == ',') at++
      space()
    }
    at++
    return result
  }

  private fun elements(): List<Any?> {
    val result = mutableListOf<Any?>()
    at++
    space()
    while (text[at] != ']') {
      result += value()
      space()
      if (text[at] == ',') at++
      space()
    }
    at++
    return result
  }

  private fun string(): String {
    val result = StringBuilder()
    at++
    while (text[at] != '"') {
      check(text[at] != '\\') { "the cases have no escapes" }
      result.append(text[at++])
    }
    at++
    return result.toString()
  }

  private fun <T> word(name: String, value: T): T {
    at += name.length
    return value
  }

  private fun number(): Double {
    val from = at
    while (at < text.length && text[at] in "+-.eE0123456789") at++
    return text.substring(from, at).toDouble()
  }

  private fun space() {
    while (at < text.length && text[at].isWhitespace()) at++
  }
}
