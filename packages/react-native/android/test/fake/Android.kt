// The little of Android that the sources under test touch.
package android.content

abstract class Context
