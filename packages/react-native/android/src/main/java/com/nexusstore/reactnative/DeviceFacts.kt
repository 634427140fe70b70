package com.nexusstore.reactnative

import android.app.ActivityManager
import android.app.usage.UsageStatsManager
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.net.ConnectivityManager
import android.net.NetworkCapabilities
import android.os.BatteryManager
import android.os.Build
import android.os.PowerManager

/** What the system says of the device now. What it does not tell is null. No permission beyond WorkManager's. */
internal fun deviceFacts(context: Context, appState: String?): Map<String, Any?> =
  networkFacts(context) +
    batteryFacts(context) +
    mapOf(
      "isStorageLow" to null,
      "isDeviceIdle" to null,
      "isPowerSaving" to service<PowerManager>(context, Context.POWER_SERVICE)?.isPowerSaveMode,
      "isBackgroundAllowed" to isBackgroundAllowed(context),
      "standbyBucket" to standbyBucket(context),
      "appState" to (appState ?: "headless"),
    )

private fun networkFacts(context: Context): Map<String, Any?> {
  val manager = service<ConnectivityManager>(context, Context.CONNECTIVITY_SERVICE)
  val capabilities =
    try {
      manager?.getNetworkCapabilities(manager.activeNetwork)
    } catch (_: SecurityException) {
      // Without ACCESS_NETWORK_STATE, which an app may have removed, nothing is known.
      return mapOf("isConnected" to null, "isMetered" to null, "isRoaming" to null)
    }
  val isConnected = capabilities?.hasCapability(NetworkCapabilities.NET_CAPABILITY_INTERNET) == true
  val isRoaming =
    if (Build.VERSION.SDK_INT < 28) null
    else capabilities?.hasCapability(NetworkCapabilities.NET_CAPABILITY_NOT_ROAMING)?.not()
  return mapOf(
    "isConnected" to isConnected,
    "isMetered" to capabilities?.hasCapability(NetworkCapabilities.NET_CAPABILITY_NOT_METERED)?.not(),
    "isRoaming" to isRoaming,
  )
}

/** The sticky broadcast: nothing is registered. Low is what Android calls low, 15 %. */
private fun batteryFacts(context: Context): Map<String, Any?> {
  val battery: Intent? = context.registerReceiver(null, IntentFilter(Intent.ACTION_BATTERY_CHANGED))
  val isCharging = battery?.getIntExtra(BatteryManager.EXTRA_PLUGGED, 0)?.let { it != 0 }
  val level = battery?.getIntExtra(BatteryManager.EXTRA_LEVEL, -1) ?: -1
  val scale = battery?.getIntExtra(BatteryManager.EXTRA_SCALE, -1) ?: -1
  val isLow = if (level < 0 || scale <= 0) null else isCharging != true && level * 100 <= scale * 15
  return mapOf("isCharging" to isCharging, "isBatteryLow" to isLow)
}

private fun isBackgroundAllowed(context: Context): Boolean? {
  if (Build.VERSION.SDK_INT < 28) return null
  return service<ActivityManager>(context, Context.ACTIVITY_SERVICE)?.isBackgroundRestricted?.not()
}

private fun standbyBucket(context: Context): String? {
  if (Build.VERSION.SDK_INT < 28) return null
  val bucket = service<UsageStatsManager>(context, Context.USAGE_STATS_SERVICE)?.appStandbyBucket ?: return null
  return when {
    bucket <= UsageStatsManager.STANDBY_BUCKET_ACTIVE -> "active"
    bucket <= UsageStatsManager.STANDBY_BUCKET_WORKING_SET -> "working-set"
    bucket <= UsageStatsManager.STANDBY_BUCKET_FREQUENT -> "frequent"
    bucket <= UsageStatsManager.STANDBY_BUCKET_RARE -> "rare"
    else -> "restricted"
  }
}

private inline fun <reified T> service(context: Context, name: String): T? = context.getSystemService(name) as? T
