import { StatusBar } from 'expo-status-bar';
import { NexusProvider, usePendingCount } from 'nexus-store/react';
import { useState } from 'react';
import { Pressable, Text, View } from 'react-native';
import { SafeAreaProvider, SafeAreaView } from 'react-native-safe-area-context';
import { backend, background, type Note } from './field';
import { NoteEditor } from './note-editor';
import { NoteList } from './note-list';
import { useStyles } from './styles';
import { SyncScreen } from './sync-screen';

type Screen =
  | { readonly name: 'list' | 'sync' }
  | { readonly name: 'editor'; readonly note: Note | undefined };

export function App() {
  const [screen, setScreen] = useState<Screen>({ name: 'list' });
  const styles = useStyles();
  const showList = () => setScreen({ name: 'list' });
  return (
    <NexusProvider backend={backend} background={background}>
      <SafeAreaProvider>
        <StatusBar style="auto" />
        <SafeAreaView style={styles.page}>
          {screen.name === 'list' && (
            <NoteList onOpen={(note) => setScreen({ name: 'editor', note })} />
          )}
          {screen.name === 'editor' && <NoteEditor note={screen.note} onClose={showList} />}
          {screen.name === 'sync' && <SyncScreen />}
          {screen.name !== 'editor' && (
            <View style={styles.tabs} accessibilityRole="tablist">
              <Tab title="Notes" isShown={screen.name === 'list'} onPress={showList} />
              <SyncTab
                isShown={screen.name === 'sync'}
                onPress={() => setScreen({ name: 'sync' })}
              />
            </View>
          )}
        </SafeAreaView>
      </SafeAreaProvider>
    </NexusProvider>
  );
}

interface TabProps {
  readonly title: string;
  readonly isShown: boolean;
  readonly onPress: () => void;
}

function Tab({ title, isShown, onPress }: TabProps) {
  const styles = useStyles();
  return (
    <Pressable
      style={styles.tab}
      onPress={onPress}
      accessibilityRole="tab"
      accessibilityState={{ selected: isShown }}
    >
      <Text style={isShown ? styles.tabShown : styles.tabHidden}>{title}</Text>
    </Pressable>
  );
}

/** The badge inside the app: what waits, also where the icon may carry no number. */
function SyncTab(props: Omit<TabProps, 'title'>) {
  const pending = usePendingCount() ?? 0;
  return <Tab {...props} title={pending === 0 ? 'Sync' : `Sync (${pending} waiting)`} />;
}
