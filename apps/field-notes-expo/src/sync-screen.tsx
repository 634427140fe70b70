import type { Explanation, JournalRecord } from 'nexus-store';
import { useBackgroundSync, useSyncStatus } from 'nexus-store/react';
import { useEffect, useState } from 'react';
import { Pressable, ScrollView, Text, View } from 'react-native';
import { askForBadge, backend, background, runNow } from './field';
import { useStyles } from './styles';

const SHOWN_RUNS = 20;

export function SyncScreen() {
  const styles = useStyles();
  const status = useSyncStatus();
  const { status: service, isSupported } = useBackgroundSync();
  const { explanation, journal, failure } = useReport(status, service);
  const [answer, setAnswer] = useState<string>();
  const ask = async (what: () => Promise<string>) => {
    setAnswer(undefined);
    setAnswer(await what().catch(String));
  };
  const { critical, high, normal, low } = status.pending;
  return (
    <ScrollView style={styles.screen}>
      <Text style={styles.title} accessibilityRole="header">
        Sync
      </Text>
      <Fact
        name="Waiting"
        value={`${critical} critical, ${high} high, ${normal} normal, ${low} low`}
      />
      <Fact name="Now" value={status.phase} />
      <Fact name="Last synced" value={timeOf(status.lastSyncedAt)} />
      <Fact name="Next attempt" value={timeOf(status.nextAttemptAt)} />
      <Fact name="Conflicts, refused" value={`${status.conflicts}, ${status.dead}`} />
      <Fact name="Background sync" value={isSupported ? service : 'not supported here'} />

      <View style={styles.line}>
        <Action title="Sync now" onPress={() => ask(syncNow)} />
        <Action title="Show number on icon" onPress={() => ask(allowBadge)} />
        {__DEV__ && <Action title="Force a background run" onPress={() => ask(force)} />}
        {status.dead > 0 && <Action title="Send refused again" onPress={() => ask(sendAgain)} />}
      </View>
      {answer !== undefined && (
        <Text style={styles.text} accessibilityLiveRegion="polite">
          {answer}
        </Text>
      )}

      <Text style={styles.heading} accessibilityRole="header">
        Why has it not synced?
      </Text>
      {failure !== undefined && <Text style={styles.alert}>{failure}</Text>}
      {explanation?.reasons.map(({ code, message, action }) => (
        <View key={code} style={styles.row}>
          <Text style={styles.text}>{message}</Text>
          {action !== null && <Text style={styles.faint}>{action}</Text>}
        </View>
      ))}

      <Text style={styles.heading} accessibilityRole="header">
        What the last wake-ups did
      </Text>
      {journal.length === 0 && (
        <Text style={styles.faint}>The system has not woken the app yet.</Text>
      )}
      {journal.map((record) => (
        <Run key={record.runId} record={record} />
      ))}
    </ScrollView>
  );
}

async function syncNow(): Promise<string> {
  const { pushed, remaining, stoppedBy } = await backend.sync();
  return `Sent ${pushed}, ${remaining} left: ${stoppedBy}.`;
}

async function allowBadge(): Promise<string> {
  return (await askForBadge()) ? 'The icon shows what waits.' : 'Not allowed: see Settings.';
}

async function force(): Promise<string> {
  return (await runNow()) ? 'The system was asked for a run.' : 'No background request is pending.';
}

async function sendAgain(): Promise<string> {
  return `${await backend.retryAll()} are sent again.`;
}

interface Report {
  readonly explanation?: Explanation;
  readonly journal: readonly JournalRecord[];
  readonly failure?: string;
}

/** Asked again whenever something has happened. */
function useReport(...happened: readonly unknown[]): Report {
  const [report, setReport] = useState<Report>({ journal: [] });
  useEffect(() => {
    let isStale = false;
    const take = (next: Report) => {
      if (!isStale) setReport(next);
    };
    Promise.all([background.explain(), background.history()]).then(
      ([explanation, records]) =>
        take({ explanation, journal: records.slice(-SHOWN_RUNS).reverse() }),
      (error: unknown) => take({ journal: [], failure: String(error) }),
    );
    return () => {
      isStale = true;
    };
  }, happened);
  return report;
}

function Fact({ name, value }: { readonly name: string; readonly value: string }) {
  const styles = useStyles();
  return (
    <View style={styles.fact}>
      <Text style={styles.faint}>{name}</Text>
      <Text style={styles.text}>{value}</Text>
    </View>
  );
}

interface ActionProps {
  readonly title: string;
  readonly onPress: () => Promise<void>;
}

function Action({ title, onPress }: ActionProps) {
  const styles = useStyles();
  return (
    <Pressable style={styles.choice} onPress={() => void onPress()} accessibilityRole="button">
      <Text style={styles.text}>{title}</Text>
    </Pressable>
  );
}

function Run({ record }: { readonly record: JournalRecord }) {
  const styles = useStyles();
  const { beganAt, endedAt, pushed, pulled, result, stopReason, error, appState } = record;
  const took = endedAt === null ? 'no end' : `${Math.round((endedAt - beganAt) / 1000)} s`;
  const ended = [result ?? 'killed', stopReason, error].filter((part) => part !== null).join(', ');
  return (
    <View style={styles.row}>
      <Text style={styles.text}>
        {timeOf(beganAt)}, {took}, {appState}
      </Text>
      <Text style={styles.faint}>
        sent {pushed}, received {pulled}: {ended}
      </Text>
    </View>
  );
}

function timeOf(at: number | null): string {
  return at === null ? 'none' : new Date(at).toLocaleString();
}
