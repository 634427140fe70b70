import type { Query } from 'nexus-store';
import { useItems, usePendingChanges, useSyncStatus } from 'nexus-store/react';
import { FlatList, Pressable, Text, View } from 'react-native';
import { notes, type Note } from './field';
import { useStyles } from './styles';

const NEWEST_FIRST: Query<Note> = { orderBy: { field: 'changedAt', direction: 'descending' } };

interface NoteListProps {
  readonly onOpen: (note: Note | undefined) => void;
}

export function NoteList({ onOpen }: NoteListProps) {
  const styles = useStyles();
  const { status, value = [], error } = useItems(notes, NEWEST_FIRST);
  const { value: waiting = [] } = usePendingChanges(notes);
  const { lastSyncedAt } = useSyncStatus();
  const priorities = new Map(waiting.map(({ entityId, priority }) => [entityId, priority]));
  return (
    <View style={styles.screen}>
      <Text style={styles.title} accessibilityRole="header">
        Field notes
      </Text>
      {status === 'failed' && (
        <Text style={styles.alert} accessibilityRole="alert">
          The notes cannot be read: {String(error)}
        </Text>
      )}
      <FlatList
        data={value}
        keyExtractor={({ id }) => id}
        ListEmptyComponent={
          status === 'ready' ? (
            <Text style={styles.faint}>
              {lastSyncedAt === null ? 'Nothing here yet.' : 'Nothing written yet.'}
            </Text>
          ) : null
        }
        renderItem={({ item }) => (
          <Row note={item} priority={priorities.get(item.id)} onPress={() => onOpen(item)} />
        )}
      />
      <Pressable style={styles.button} onPress={() => onOpen(undefined)} accessibilityRole="button">
        <Text style={styles.buttonText}>New note</Text>
      </Pressable>
    </View>
  );
}

interface RowProps {
  readonly note: Note;
  /** Of the write that waits; undefined if the server has the note as it is here. */
  readonly priority: string | undefined;
  readonly onPress: () => void;
}

function Row({ note, priority, onPress }: RowProps) {
  const styles = useStyles();
  return (
    <Pressable style={styles.row} onPress={onPress} accessibilityRole="button">
      <Text style={styles.rowTitle}>{note.title === '' ? 'Untitled' : note.title}</Text>
      <Text style={styles.faint} numberOfLines={1}>
        {note.text}
      </Text>
      {priority !== undefined && <Text style={styles.badge}>waiting, {priority}</Text>}
    </Pressable>
  );
}
